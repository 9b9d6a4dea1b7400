// What a mutation run leaves out, for no test can see it: a prepared statement may have any name that no other has.

/** @typedef {{ node: { type: string }, parent: { type: string, callee?: { name?: string } }, listKey?: string, key?: unknown }} Place */

export const strykerPlugins = [
  {
    kind: 'Ignore',
    name: 'statement-names',
    value: {
      /** @param {Place} place */
      shouldIgnore: ({ node, parent, listKey, key }) =>
        node.type === 'StringLiteral' &&
        parent.callee?.name === 'prepared' &&
        listKey === 'arguments' &&
        key === 0
          ? 'a statement may have any name'
          : undefined,
    },
  },
]
