// Has AsyncAPI's own parser read an AsyncAPI document, with the schemas it refers to: check.cjs FILE.
// Prints each fault with its line; exit code 1 when there is one. Hints about style are not faults.
const { readFile } = require('node:fs/promises');
const { resolve } = require('node:path');
const { Parser } = require('@asyncapi/parser');
const { load } = require('js-yaml');

const ERROR = 0;

// Keys without a value, as an unquoted comma in a flow mapping makes them: a schema may hold any key, so the parser takes them.
function* withoutValue(node, path = []) {
  for (const [key, value] of Object.entries(node)) {
    const at = [...path, key];
    if (value === null) yield at;
    else if (typeof value === 'object') yield* withoutValue(value, at);
  }
}

async function main(file) {
  const source = resolve(file);
  const text = await readFile(source, 'utf8');
  const { document, diagnostics } = await new Parser().parse(text, { source });
  const faults = diagnostics.filter(({ severity }) => severity === ERROR);
  for (const { range, path, message } of faults) {
    console.error(`${file}:${range.start.line + 1}: ${message} (${path.join('.')})`);
  }
  if (faults.length > 0 || document === undefined) return 1;
  const empty = [...withoutValue(load(text))];
  for (const path of empty) console.error(`${file}: a key without value; quote the text that holds a comma (${path.join('.')})`);
  if (empty.length > 0) return 1;
  const of = (items) => items.all().length;
  console.log(`${file}: AsyncAPI ${document.version()}, ${of(document.channels())} topics, ${of(document.operations())} operations, ` +
    `${of(document.components().messages())} messages`);
  return 0;
}

main(process.argv[2]).then((code) => { process.exitCode = code; });
