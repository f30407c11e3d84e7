// The latent explorer, the labels of the map and the copy button.
'use strict';

class LatentExplorer {
  constructor(data) {
    this.data = data;
    this.canvas = document.getElementById('decoding');
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
    if (!this.base.image) {  // Decoded on first use.
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
    this.canvas.setAttribute(
        'aria-label',
        `Decoding from ${this.base.title} with ${said.join(', ')}`);
    this.place();
    this.draw();
  }

  draw() {
    if (!this.base.image.complete) return;  // The load event draws it.
    const {width, height} = this.canvas;
    const frame = this.frame();
    const context = this.canvas.getContext('2d');
    context.drawImage(
        this.base.image, frame % this.data.steps * width,
        Math.floor(frame / this.data.steps) * height, width, height,
        0, 0, width, height);
    this.canvas.dataset.frame = `${this.index}/${frame}`;
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

function highlight(button) {
  const pressed = button.getAttribute('aria-pressed') !== 'true';
  const map = document.getElementById('map-content');
  document.querySelectorAll('button[data-label]').forEach((other) => {
    other.setAttribute('aria-pressed', pressed && other === button);
  });
  map.classList.toggle('faded', pressed);
  map.querySelectorAll('.dots').forEach((dots) => {
    dots.classList.toggle(
        'chosen', dots.dataset.label === button.dataset.label);
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

new LatentExplorer(JSON.parse(
    document.getElementById('explorer-data').textContent));
