import { defineConfig } from 'vite';

/** Builds the console into dist/console. Its assets stand under /console-assets/, apart from the widget's. */
export default defineConfig({
  root: 'console',
  base: '/',
  publicDir: false,
  build: {
    outDir: '../dist/console',
    emptyOutDir: true,
    assetsDir: 'console-assets',
    target: 'es2022',
    // Older targets would have light-dark() and relative colours rewritten, and the tokens with them.
    cssTarget: ['chrome125', 'firefox128', 'safari18'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rollupOptions: { input: ['console/index.html', 'console/mail-frame.html'] },
  },
});
