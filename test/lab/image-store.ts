import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
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

/** Writes the images' archives ahead of time. */
export async function writeArchives(images: readonly Image[]): Promise<void> {
  await atMost(2, images, async (image) => {
    await archive(image)
  })
}

async function archive(image: Image): Promise<string> {
  const directory = join(cache, 'images')
  await mkdir(directory, { recursive: true })
  const path = join(directory, `${fileName(image)}-${imageHash(image)}.tar`)
  if (!existsSync(path)) await writeImage(image, path)
  return path
}

const fileName = (image: Image) => image.name.replaceAll(/[/:]/g, '_')
