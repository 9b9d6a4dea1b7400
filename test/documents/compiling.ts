import { type Declaration, type ModuleItem, parseSync, type Pattern } from '@swc/core'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Block, blocksOf, root } from './pages.js'
import { strictOptions } from '../strict-options.js'

const languages = ['ts', 'js']

/** The blocks of a page that are compiled. */
export const compiledBlocks = (text: string): Block[] =>
  blocksOf(text).filter(({ language }) => languages.includes(language))

const compilerOptions = {
  ...strictOptions,
  esModuleInterop: true,
  experimentalDecorators: true,
  allowJs: true,
  checkJs: true,
  skipLibCheck: true,
}

/**
 * Compiles all blocks of pages in one run, against the built package by its name.
 *
 * Each block is a module, whose faults have the lines of the page. It sees what earlier blocks of the page
 * declare and import, and then what prelude/names.ts declares.
 *
 * @param folder where the modules are written, below `dist`
 * @param pages their texts, by their paths
 * @param alone the pages that see nothing of the prelude
 * @returns what the compiler says: nothing, when all is well
 */
export function compile(
  folder: string,
  pages: Record<string, string>,
  alone: readonly string[] = [],
): string {
  const workplace = join(root, 'dist', folder)
  rmSync(workplace, { recursive: true, force: true })
  mkdirSync(workplace, { recursive: true })
  cpSync(join(__dirname, 'prelude'), workplace, { recursive: true })
  const given = exportedNames('ts', readFileSync(join(__dirname, 'prelude/names.ts'), 'utf8'))
  for (const [page, text] of Object.entries(pages)) {
    const origins = new Map<string, string>(
      alone.includes(page) ? [] : given.map((name) => [name, 'names']),
    )
    for (const block of compiledBlocks(text)) {
      const module = `${page.replaceAll('/', '-')}.${block.line}`
      writeFileSync(join(workplace, `${module}.${block.language}`), moduleOf(block, origins))
      for (const name of namesIn(block.language, block.code)) origins.set(name, module)
    }
  }
  writeFileSync(join(workplace, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  const compiler = join(root, 'node_modules/@typescript/native/bin/tsc')
  const { stdout } = spawnSync(process.execPath, [compiler, '--project', workplace], {
    cwd: workplace,
    encoding: 'utf8',
  })
  return stdout
}

/** A block with what it needs of others on the line before it, and with all it has for those after it. */
function moduleOf({ language, code, line }: Block, origins: ReadonlyMap<string, string>): string {
  const own = namesIn(language, code)
  const imports = [...origins]
    .filter(([name]) => !own.includes(name) && new RegExp(`\\b${name}\\b`).test(code))
    .map(([name, module]) => `import { ${name} } from './${module}.js'`)
  const exported = new Set(exportedNames(language, code))
  const exports = own.filter((name) => !exported.has(name))
  return [
    '\n'.repeat(line - 2),
    imports.join('; '),
    `\n${code}`,
    `export { ${exports.join(', ')} }\n`,
  ].join('')
}

function itemsOf(language: string, code: string): ModuleItem[] {
  try {
    return parseSync(
      code,
      language === 'ts'
        ? { syntax: 'typescript', decorators: true, target: 'es2022' }
        : { syntax: 'ecmascript', target: 'es2022' },
    ).body
  } catch {
    // The compiler says what is wrong with it.
    return []
  }
}

/** What a module declares and imports. */
const namesIn = (language: string, code: string): string[] =>
  itemsOf(language, code).flatMap((item) => {
    if (item.type === 'ImportDeclaration') return item.specifiers.map(({ local }) => local.value)
    if (item.type === 'ExportDeclaration') return declared(item.declaration)
    return isDeclaration(item) ? declared(item) : []
  })

const exportedNames = (language: string, code: string): string[] =>
  itemsOf(language, code).flatMap((item) => {
    if (item.type === 'ExportDeclaration') return declared(item.declaration)
    if (item.type !== 'ExportNamedDeclaration') return []
    return item.specifiers.flatMap((each) =>
      each.type === 'ExportSpecifier' ? [(each.exported ?? each.orig).value] : [],
    )
  })

const isDeclaration = (item: ModuleItem): item is Declaration => item.type.endsWith('Declaration')

function declared(declaration: Declaration): string[] {
  switch (declaration.type) {
    case 'VariableDeclaration':
      return declaration.declarations.flatMap(({ id }) => bound(id))
    case 'FunctionDeclaration':
    case 'ClassDeclaration':
      return [declaration.identifier.value]
    case 'TsInterfaceDeclaration':
    case 'TsTypeAliasDeclaration':
    case 'TsEnumDeclaration':
      return [declaration.id.value]
    default:
      return []
  }
}

function bound(pattern: Pattern): string[] {
  switch (pattern.type) {
    case 'Identifier':
      return [pattern.value]
    case 'ArrayPattern':
      return pattern.elements.flatMap((each) => (each ? bound(each) : []))
    case 'RestElement':
      return bound(pattern.argument)
    case 'AssignmentPattern':
      return bound(pattern.left)
    case 'ObjectPattern':
      return pattern.properties.flatMap((each) => {
        if (each.type === 'AssignmentPatternProperty') return [each.key.value]
        return bound(each.type === 'RestElement' ? each : each.value)
      })
    default:
      return []
  }
}
