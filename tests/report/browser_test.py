"""The report in headless Chromium, by hand and by keyboard.

Skipped where there is no Chromium with its driver (on Debian the packages
`chromium` and `chromium-driver`) or no `selenium`.
"""

import base64
import io
import os
import shutil
import tempfile
import unittest

from absl.testing import parameterized
from matplotlib import image as matplotlib_image
import numpy as np
import tensorflow as tf

from tfvae import layers
from tfvae import models
from tfvae import tables
from tfvae.report.html_report import write_report

try:
  from selenium import webdriver
  from selenium.webdriver.common.by import By
  from selenium.webdriver.common.keys import Keys
  from selenium.webdriver.support.ui import Select
  from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
  webdriver = None

_CHROMIUM = next(filter(None, map(
    shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
_DRIVER = shutil.which('chromedriver')
_IMAGE = (6, 5, 1)
_SECONDS = 20


def _browser():
  options = webdriver.ChromeOptions()
  options.binary_location = _CHROMIUM
  for argument in ('--headless=new', '--no-sandbox', '--disable-gpu',
                   '--disable-dev-shm-usage'):
    options.add_argument(argument)
  options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
  return webdriver.Chrome(options, webdriver.ChromeService(_DRIVER))


def _write(path):
  model = models.image_vae('z:4', _IMAGE, hidden_units=(8,))
  rng = np.random.default_rng(0)
  x = np.float32(rng.random((30, *_IMAGE)) < 0.5)
  # Wide apart, so that every position decodes to another image.
  kernel, *others = model.decoder.get_weights()
  model.decoder.set_weights([3 * kernel, *others])
  write_report(
      path, model, x, np.arange(30) % 3, title='Test',
      history=[{'epoch': 1, 'elbo': -9, 'val_elbo': -9}, {'epoch': 2}],
      metrics={'test': {f'a_long_name_of_a_figure_{i}': -1 / 3
                        for i in range(9)}},
      command='python train_main.py --workdir=' + 'a' * 200,
      warnings=['A warning with a long_' + 'word' * 40],
      rank_histograms={'z': np.full([4, 20], 10)})
  return model, x


def _write_table(path):
  columns = (
      tables.Column('size', 'real', loc=5., scale=2.),
      tables.Column('color', 'categorical', 'string', ('red', 'blue')))
  model = models.image_vae('z:3', (2,), hidden_units=(8,), likelihood=(
      layers.IndependentColumns(columns=columns)))
  kernel, *others = model.decoder.get_weights()
  model.decoder.set_weights([3 * kernel, *others])
  x = np.stack([np.arange(35.), 1 + np.arange(35) % 2], axis=1)
  write_report(path, model, np.float32(x))
  return model, np.float32(x)


@unittest.skipUnless(webdriver and _CHROMIUM and _DRIVER,
                     'needs selenium, chromium and chromedriver')
class BrowserTest(tf.test.TestCase, parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.directory = tempfile.TemporaryDirectory()
    path = os.path.join(cls.directory.name, 'index.html')
    cls.model, cls.x = _write(path)
    cls.url = f'file://{path}'
    path = os.path.join(cls.directory.name, 'table.html')
    cls.table_model, cls.rows = _write_table(path)
    cls.table_url = f'file://{path}'
    cls.browser = _browser()

  @classmethod
  def tearDownClass(cls):
    cls.browser.quit()
    cls.directory.cleanup()
    super().tearDownClass()

  def _open(self, width=1280, scheme='light', url=None):
    self.browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', {
        'width': width, 'height': 844, 'deviceScaleFactor': 1,
        'mobile': width < 500})
    self.browser.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': [
        {'name': 'prefers-color-scheme', 'value': scheme}]})
    self.browser.get(url or self.url)
    self._wait(lambda: self._frame())

  def _wait(self, condition):
    WebDriverWait(self.browser, _SECONDS).until(lambda _: condition())

  def _run(self, script, *arguments):
    return self.browser.execute_script(script, *arguments)

  def _find(self, css):
    return self.browser.find_element(By.CSS_SELECTOR, css)

  def _frame(self):
    """Returns the drawing of the explorer, as `base/frame`."""
    return self._find('#decoding').get_attribute('data-frame')

  def _pixels(self):
    """The explorer's canvas, `[h, w]` in [0, 1]."""
    uri = self._run('return document.querySelector("#decoding").toDataURL()')
    png = base64.b64decode(uri.removeprefix('data:image/png;base64,'))
    return matplotlib_image.imread(io.BytesIO(png))[..., 0]

  def _shown(self):
    """Returns the values next to the sliders, by dimension."""
    return dict(self._run(
        'return [...document.querySelectorAll(".slider")].map((row) => ['
        'Number(row.querySelector("label").firstChild.data.match(/\\d+/)[0]),'
        'Number(row.querySelector(".position").textContent.replace("−", "-")'
        '.replace(", start value", ""))])'))

  @parameterized.product(width=(1280, 390), scheme=('light', 'dark'))
  def test_page_is_whole(self, width, scheme):
    self._open(width, scheme)
    self.assertEmpty(self.browser.get_log('browser'))
    widths = self._run('return [...document.images].map((i) => i.naturalWidth)')
    self.assertGreater(len(widths), 8)
    self.assertAllGreater(widths, 0)
    self.assertLessEqual(
        self._run('return document.documentElement.scrollWidth'), width)
    # Nothing is cut off at the page's edge either.
    self.assertEmpty(self._run(
        'return [...document.querySelectorAll("body :not(nav *, svg *)")]'
        '.filter((e) => e.getBoundingClientRect().right > arguments[0] + 1)'
        '.map((e) => e.outerHTML.slice(0, 99))', width))

  @parameterized.parameters('light', 'dark')
  def test_text_stands_out(self, scheme):
    self._open(scheme=scheme)
    # The relative luminance of WCAG 2.2, of a color and its background.
    ratios = self._run("""
      const luminance = (color) => color.match(/[\\d.]+/g).slice(0, 3).map(
          (part) => part / 255).map((part) => part <= 0.04045 ? part / 12.92 :
              ((part + 0.055) / 1.055) ** 2.4).reduce(
          (sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
      const behind = (element) => {
        const color = getComputedStyle(element).backgroundColor;
        return /, 0\\)|transparent/.test(color) && element.parentElement ?
            behind(element.parentElement) : color;
      };
      return [...document.querySelectorAll('body *')].filter(
          (e) => [...e.childNodes].some((n) => n.nodeType == 3 &&
                 n.data.trim()) && e.checkVisibility()).map((e) => {
        const style = getComputedStyle(e);
        const pair = [luminance(e.ownerSVGElement ? style.fill : style.color),
                      luminance(behind(e))].sort((a, b) => b - a);
        return [(pair[0] + 0.05) / (pair[1] + 0.05), e.outerHTML.slice(0, 99)];
      });""")
    self.assertGreater(len(ratios), 50)
    self.assertEmpty([pair for pair in ratios if pair[0] < 4.5])

  def test_slider_shows_the_decoding_of_its_z(self):
    self._open()
    self._find('input[name=base][value="1"]').send_keys(Keys.SPACE)
    self._wait(lambda: self._frame().startswith('1/'))
    before = self._frame()
    z = self.model.infer(self.x[:1], lambda q: q.mean()).latents['z'].numpy()
    seen = [self._pixels()]
    for slider, key in (0, Keys.ARROW_RIGHT), (1, Keys.END):
      self._find(f'#slider-{slider}').send_keys(key)
      self._wait(lambda before=before: self._frame() != before)
      before = self._frame()
      seen.append(self._pixels())
      self.assertNotAllClose(seen[-1], seen[-2], atol=0.02)
      for dimension, value in self._shown().items():
        if abs(z[0, dimension] - value) > 0.0051:  # Two decimals are shown.
          z[0, dimension] = value
      expected = self.model.decode({'z': tf.constant(z)}).mean()[0, ..., 0]
      self.assertAllClose(seen[-1], expected, atol=0.01)
    self.assertEqual(self._shown()[self._dimension(1)], 3.0)

  def _dimension(self, slider):
    return list(self._shown())[slider]

  def test_mouse_moves_a_slider(self):
    self._open()
    before, pixels = self._frame(), self._pixels()
    slider = self._find('#slider-0')
    webdriver.ActionChains(self.browser).move_to_element_with_offset(
        slider, slider.size['width'] // 3, 0).click().perform()
    self._wait(lambda: self._frame() != before)
    self.assertNotAllClose(self._pixels(), pixels, atol=0.02)

  def test_a_third_slider_lets_go_of_the_first(self):
    self._open()
    own = self._shown()
    for slider in range(3):
      self._find(f'#slider-{slider}').send_keys(Keys.HOME)
    shown = list(self._shown().values())
    self.assertEqual(shown, [list(own.values())[0], -3, -3,
                             list(own.values())[3]])
    self._find('#reset').send_keys(Keys.ENTER)
    self.assertEqual(self._shown(), own)

  def test_keyboard_reaches_everything_in_order(self):
    self._open()
    reached = []
    for _ in range(60):
      webdriver.ActionChains(self.browser).send_keys(Keys.TAB).perform()
      focused = self.browser.switch_to.active_element
      reached.append(focused.get_attribute('id') or focused.get_attribute(
          'href') or focused.get_attribute('name') or focused.text)
      if reached[-1] == 'copy':
        break
    self.assertEndsWith(reached[0], '#main')
    wanted = ['base', 'slider-0', 'slider-3', 'reset', 'copy']
    self.assertEqual([name for name in reached if name in wanted], wanted)

  def test_a_label_can_be_singled_out(self):
    self._open()
    opacities = lambda: self._run(
        'return [...document.querySelectorAll("#map-content .dots")].map('
        '(e) => Number(getComputedStyle(e).strokeOpacity))')
    before = opacities()
    button = self._find('button[data-label="1"]')
    button.send_keys(Keys.SPACE)
    self._wait(lambda: max(opacities()[0], opacities()[2]) < 0.2)
    self.assertEqual(opacities()[1], before[1])
    self.assertEqual(button.get_attribute('aria-pressed'), 'true')
    button.send_keys(Keys.SPACE)
    self._wait(lambda: opacities() == before)

  def _dots(self):
    """Returns the number of dots by class."""
    return dict(self._run(
        'return [...document.querySelectorAll("#map-content .dots")].map('
        '(e) => [e.classList[1], e.getAttribute("d").split("M").length - 1])'))

  def test_another_column_colors_the_map(self):
    self._open(width=390, url=self.table_url)
    self.assertEqual(self._dots(), {'c0': 18, 'c1': 17})
    self._find('button[data-label="1"]').send_keys(Keys.SPACE)
    select = self._find('#coloring')
    legends = lambda: [legend.text for legend in self.browser.find_elements(
        By.CSS_SELECTOR, '[data-coloring]') if legend.is_displayed()]
    self.assertIn('blue', legends()[0])
    Select(select).select_by_visible_text('size')
    self._wait(lambda: self._dots() == {f's{shade}': 5 for shade in range(7)})
    self.assertRegex(legends()[0], r'size\s+lowest\s+0\s+median\s+17\s+'
                                   r'highest\s+34')
    # Nothing is singled out any more.
    self.assertEmpty(self.browser.find_elements(By.CSS_SELECTOR, '.faded'))
    self.assertLessEqual(
        self._run('return document.documentElement.scrollWidth'), 390)
    Select(select).select_by_visible_text('color')
    self._wait(lambda: self._dots() == {'c0': 18, 'c1': 17})
    self.assertLen(legends(), 1)
    self.assertEmpty(self.browser.get_log('browser'))

  def test_explorer_shows_the_values_of_a_row(self):
    self._open(url=self.table_url)
    self._find('input[name=base][value="1"]').send_keys(Keys.SPACE)
    z = self.table_model.infer(
        self.rows[:1], lambda q: q.mean()).latents['z'].numpy()
    slider = self._find('#slider-0')
    seen = set()
    for key in (Keys.HOME, Keys.END):
      before = self._frame()
      slider.send_keys(key)
      self._wait(lambda before=before: self._frame() != before)
      z[0, self._dimension(0)] = self._shown()[self._dimension(0)]
      size, color = self.table_model.decode(
          {'z': tf.constant(z)}).mean()[0].numpy()
      cells = [cell.text for cell in self.browser.find_elements(
          By.CSS_SELECTOR, '#decoding td')]
      self.assertAllClose(float(cells[0]), size, rtol=1e-3)
      self.assertEqual(cells[1:3], ['', ['other', 'red', 'blue'][int(color)]])
      self.assertRegex(cells[3], r'^\d+%$')
      seen.add(cells[0])
    self.assertLen(seen, 2)


if __name__ == '__main__':
  tf.test.main()
