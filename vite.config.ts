import { join } from 'node:path';
import { defineConfig } from 'vite';

const folder = join(import.meta.dirname, 'console');

/** Builds the console into dist/console. Its assets stand under /console-assets/, apart from the widget's. */
export default defineConfig({
  root: folder,
  base: '/',
  publicDir: false,
  build: {
    outDir: join(import.meta.dirname, 'dist/console'),
    emptyOutDir: true,
    assetsDir: 'console-assets',
    target: 'es2022',
    // Older targets would have light-dark() and relative colours rewritten, and the tokens with them.
    cssTarget: ['chrome125', 'firefox128', 'safari18'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rollupOptions: { input: [join(folder, 'index.html'), join(folder, 'mail-frame.html')] },
  },
});
