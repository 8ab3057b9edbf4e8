import { mount } from '../../widget/panel.js';
import { testPanel } from './panel-suite.js';

testPanel('the panel', mount);
