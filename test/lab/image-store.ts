import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Image, imageHash, writeImage } from './image-archive.ts'
import { cache, runPaths } from './layout.ts'
import { atMost } from './progress.ts'
import { command } from './subprocess.ts'

/** Gives the images to containerd, in the namespace that the kubelet looks in. Those it has already cost nothing. */
export async function importImages(images: readonly Image[]): Promise<void> {
  await mkdir(runPaths.images, { recursive: true })
  await atMost(2, images, async (image) => {
    const hash = imageHash(image)
    const marker = join(runPaths.images, fileName(image))
    if (existsSync(marker) && (await readFile(marker, 'utf8')) === hash) return
    await command([
      'ctr',
      `--address=${runPaths.containerdSocket}`,
      '--namespace=k8s.io',
      'images',
      'import',
      await archive(image),
    ])
    await writeFile(marker, hash)
  })
}

/** The image's archive in the cache, written when it is not there; then older ones of that image go. */
async function archive(image: Image): Promise<string> {
  const directory = join(cache, 'images')
  await mkdir(directory, { recursive: true })
  const own = `${fileName(image)}-${imageHash(image)}.tar`
  const path = join(directory, own)
  if (existsSync(path)) return path
  // Another lab may have written the same one by now.
  const older = (await readdir(directory)).filter((name) => name.startsWith(`${fileName(image)}-`) && name !== own)
  // Written in the run directory, where `down` clears up what was cut off; two add-ons may want the same image at once.
  await writeImage(image, join(runPaths.images, randomUUID()), path)
  await Promise.all(older.map((name) => rm(join(directory, name), { force: true })))
  return path
}

const fileName = (image: Image) => image.name.replaceAll(/[/:]/g, '_')
