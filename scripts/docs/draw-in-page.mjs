/**
 * Runs in the page, where Mermaid is loaded. Returns the picture as SVG whose styles are on the elements, because a style sheet inside
 * of a picture would reach the whole page.
 */
export async function drawInPage({ id, source, config }) {
  const INHERITED = [
    'fill',
    'stroke',
    'stroke-width',
    'stroke-dasharray',
    'font-size',
    'font-weight',
    'text-anchor',
    'fill-opacity',
  ];
  const OWN = ['opacity', 'dominant-baseline'];
  const CONTAINERS = ['defs', 'style', 'title', 'desc'];
  const { mermaid } = globalThis;
  mermaid.initialize(config);
  const { svg } = await mermaid.render(id, source);
  const host = document.createElement('div');
  host.style.fontFamily = 'Inter';
  host.innerHTML = svg;
  document.body.append(host);
  const picture = host.querySelector('svg');
  const plain = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  plain.innerHTML = '<g></g>';
  document.body.append(plain);
  const initial = { ...pick(getComputedStyle(plain.firstChild)) };
  const styles = [...picture.querySelectorAll('*')].map((element) => ({ element, style: styleOf(element) }));
  for (const { element, style } of styles) {
    // The text of a message crosses lines of life: a rim in the colour of the ground keeps it legible.
    const isOnLine = element.classList.contains('messageText') || element.classList.contains('loopText');
    element.removeAttribute('class');
    element.removeAttribute('style');
    for (const name of element.getAttributeNames())
      if (name.startsWith('data-') || INHERITED.includes(name)) element.removeAttribute(name);
    const rim = isOnLine
      ? `;paint-order:stroke;stroke:${config.themeVariables.background};stroke-width:5px`
      : '';
    if (style !== '' || rim !== '') element.setAttribute('style', `${style}${rim}`);
  }
  // Icons that only other diagrams use, shadows, gradients.
  for (const rest of picture.querySelectorAll('style, symbol, filter, linearGradient')) rest.remove();
  const [, , width, height] = picture.getAttribute('viewBox').split(' ');
  // Texts stay legible: a narrow page scrolls beyond this.
  picture.setAttribute(
    'style',
    `min-width:${Math.min(Math.ceil(width), Math.max(520, Math.ceil(width * 0.8)))}px`,
  );
  picture.removeAttribute('class');
  picture.setAttribute('role', 'img');
  picture.setAttribute('width', Math.ceil(width));
  picture.setAttribute('height', Math.ceil(height));
  host.remove();
  plain.remove();
  return new XMLSerializer().serializeToString(picture);

  function pick(computed) {
    return Object.fromEntries([...INHERITED, ...OWN].map((name) => [name, computed.getPropertyValue(name)]));
  }

  /** The properties that differ from those that the element would have without a style of its own. */
  function styleOf(element) {
    if (CONTAINERS.includes(element.tagName)) return '';
    const own = pick(getComputedStyle(element));
    const { parentElement } = element;
    const isFirst = parentElement === picture || CONTAINERS.includes(parentElement.tagName);
    const parent = isFirst ? initial : pick(getComputedStyle(parentElement));
    const differs = (name) => own[name] !== (INHERITED.includes(name) ? parent[name] : initial[name]);
    return [...INHERITED, ...OWN]
      .filter(differs)
      .map((name) => `${name}:${own[name]}`)
      .join(';');
  }
}
