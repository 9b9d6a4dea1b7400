// Loaded ahead of a program: its clock is off by so many ms.
const shift = Number(process.env.CLOCK_SHIFT)

globalThis.Date = new Proxy(Date, {
  construct: (real, parts) =>
    Reflect.construct(real, parts.length === 0 ? [real.now() + shift] : parts),
  get: (real, name) => (name === 'now' ? () => real.now() + shift : Reflect.get(real, name)),
})
