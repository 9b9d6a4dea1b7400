// Loaded ahead of each server: it ends when the tests do, however they do.
process.stdin.resume().once('end', () => process.exit())
