// The latent explorer, the colors of the map and the copy button.
'use strict';

class LatentExplorer {
  constructor(data) {
    this.data = data;
    this.decoding = document.getElementById('decoding');
    this.sliders = data.dimensions.map(
        (_, slider) => document.getElementById(`slider-${slider}`));
    this.sliders.forEach((input, slider) => {
      input.max = data.steps - 1;
      input.addEventListener('input', () => this.move(slider));
    });
    document.querySelectorAll('input[name="base"]').forEach((input, index) => {
      input.addEventListener('change', () => this.choose(index));
    });
    document.getElementById('reset').addEventListener(
        'click', () => this.reset());
    document.querySelector('.explorer').hidden = false;
    this.choose(0);
  }

  choose(index) {
    this.index = index;
    this.base = this.data.bases[index];
    if (this.base.sprite && !this.base.image) {  // Decoded on first use.
      this.base.image = new Image();
      this.base.image.addEventListener('load', () => this.draw());
      this.base.image.src = this.base.sprite;
    }
    this.reset();
  }

  reset() {
    this.held = [];  // Sliders off their start values, in order of movement.
    this.sliders.forEach((_, slider) => this.letGo(slider));
    this.show();
  }

  letGo(slider) {
    this.sliders[slider].value = this.base.own[slider];
  }

  move(slider) {
    this.held = [...this.held.filter((other) => other !== slider), slider];
    while (this.held.length > this.data.pairs[0].length) {
      this.letGo(this.held.shift());
    }
    this.show();
  }

  // Returns the index of the frame of these positions.
  frame() {
    const pair = this.data.pairs.findIndex(
        (pair) => this.held.every((slider) => pair.includes(slider)));
    return this.data.pairs[pair].reduce(
        (index, slider) =>
            index * this.data.steps + Number(this.sliders[slider].value),
        pair);
  }

  show() {
    const said = this.sliders.map((input, slider) => {
      const moved = Number(input.value) !== this.base.own[slider];
      const value = this.base.values[slider][input.value].toFixed(2).replace(
          '-', '−');
      const text = moved ? value : `${value}, start value`;
      input.setAttribute('aria-valuetext', text);
      document.getElementById(`value-${slider}`).textContent = text;
      input.parentElement.classList.toggle('moved', moved);
      return `z${this.data.dimensions[slider]} = ${value}`;
    });
    this.decoding.setAttribute(
        'aria-label',
        `Decoding from ${this.base.title} with ${said.join(', ')}`);
    this.place();
    this.draw();
  }

  draw() {
    const frame = this.frame();
    if (this.base.columns) {
      this.drawRow(frame);
    } else if (this.base.image.complete) {
      this.drawPicture(frame);
    } else {
      return;  // The load event draws it.
    }
    this.decoding.dataset.frame = `${this.index}/${frame}`;
  }

  drawPicture(frame) {
    const {width, height} = this.decoding;
    this.decoding.getContext('2d').drawImage(
        this.base.image, frame % this.data.steps * width,
        Math.floor(frame / this.data.steps) * height, width, height,
        0, 0, width, height);
  }

  // Writes the value of each column; those that differ from the start are bold.
  drawRow(frame) {
    const start = this.data.pairs[0].reduce(
        (index, slider) => index * this.data.steps + this.base.own[slider], 0);
    [...this.decoding.tBodies[0].rows].forEach((row, index) => {
      const {texts, values, percent} = this.base.columns[index];
      row.cells[1].textContent = texts[values[frame]];
      row.cells[2].textContent = percent ? `${percent[frame]}%` : '';
      row.classList.toggle('moved', values[frame] !== values[start]);
    });
  }

  // Marks z on the map, with a line from its start.
  place() {
    if (!this.data.map) return;
    const [fromX, fromY] = this.data.map.places[this.index];
    let [x, y] = [fromX, fromY];
    this.sliders.forEach((input, slider) => {
      const values = this.base.values[slider];
      const step = values[input.value] - values[this.base.own[slider]];
      x += step * this.data.map.directions[slider][0];
      y += step * this.data.map.directions[slider][1];
    });
    document.getElementById('way').setAttribute(
        'd', `M${fromX} ${fromY}L${x} ${y}`);
    const here = document.getElementById('here');
    here.setAttribute('cx', x);
    here.setAttribute('cy', y);
  }
}

// Colors the dots of the map by the label or by a column.
class MapColors {
  constructor({dots, colorings}) {
    this.dots = dots;
    this.colorings = colorings;
    const select = document.getElementById('coloring');
    select.addEventListener('change', () => this.show(Number(select.value)));
    select.parentElement.hidden = false;
  }

  show(index) {
    const {groups, entries, names} = this.colorings[index];
    const lines = new Map(entries.map(([group]) => [group, '']));
    groups.forEach((group, dot) => {
      const [x, y] = this.dots[dot];
      lines.set(group, `${lines.get(group)}M${x} ${y}h0`);
    });
    document.getElementById('dots').replaceChildren(
        ...entries.map(([group, color]) => this.element('path', {
          'class': `dots ${color}`, 'd': lines.get(group),
          'data-label': group})),
        ...names.map(([x, y, name]) => this.element('text', {
          'class': 'class', x, y, 'text-anchor': 'middle'}, name)));
    document.querySelectorAll('[data-coloring]').forEach((legend) => {
      legend.hidden = Number(legend.dataset.coloring) !== index;
    });
    highlight(null);
  }

  element(name, attributes, text = '') {
    const made = document.createElementNS('http://www.w3.org/2000/svg', name);
    Object.entries(attributes).forEach(
        ([key, value]) => made.setAttribute(key, value));
    made.textContent = text;
    return made;
  }
}

// Singles out the dots of a button's group; null shows all.
function highlight(button) {
  const pressed = button !== null &&
      button.getAttribute('aria-pressed') !== 'true';
  const map = document.getElementById('map-content');
  document.querySelectorAll('button[data-label]').forEach((other) => {
    other.setAttribute('aria-pressed', pressed && other === button);
  });
  map.classList.toggle('faded', pressed);
  map.querySelectorAll('.dots').forEach((dots) => {
    dots.classList.toggle(
        'chosen', pressed && dots.dataset.label === button.dataset.label);
  });
}

document.querySelectorAll('button[data-label]').forEach((button) => {
  button.addEventListener('click', () => highlight(button));
});

const copy = document.getElementById('copy');
if (copy) {
  copy.addEventListener('click', async () => {
    const command = document.getElementById('command-line');
    try {
      await navigator.clipboard.writeText(command.textContent);
      copy.textContent = 'Copied';
    } catch (error) {  // Not allowed: select it for the keyboard.
      getSelection().selectAllChildren(command);
      copy.textContent = 'Selected; press Ctrl+C';
    }
  });
}

const data = JSON.parse(document.getElementById('explorer-data').textContent);
new LatentExplorer(data);
if (data.colors) new MapColors(data.colors);
