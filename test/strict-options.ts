/** Options under which a user may compile at the strictest; without `skipLibCheck`, which each says for itself. */
export const strictOptions = {
  target: 'es2022',
  module: 'nodenext',
  lib: ['es2023'],
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noEmit: true,
}
