import { mkdir, open, type FileHandle } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/*
 * Directories whose entries survive a power cut: a file is only as durable as the name that leads to it.
 */

/** Makes the directory, and makes its own names durable. Mode 0700. */
export async function makeDirectory(dir: string): Promise<void> {
  const first = await mkdir(dir, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  const top = dirname(resolve(first))
  for (let path = dirname(resolve(dir)); path.length >= top.length; path = dirname(path)) {
    await syncDirectory(path)
    if (path === dirname(path)) break
  }
}

/** Makes the names in a directory durable. */
export async function syncDirectory(dir: string): Promise<void> {
  let handle: FileHandle
  try {
    handle = await open(dir, 'r')
  } catch (error) {
    // Windows cannot open a directory, and needs no sync of it.
    if (isRefusedDirectory(error)) return
    throw error
  }
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function isRefusedDirectory(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return code === 'EISDIR' || code === 'EPERM'
}
