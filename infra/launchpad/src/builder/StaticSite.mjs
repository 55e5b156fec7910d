/**
 * Serves a folder over HTTP: `node StaticSite.mjs <folder> <port>`. Becomes part of the image of every static site, so
 * it imports nothing but Node.js. GET and HEAD; entity tags; single byte ranges; `404.html` of the site when it has one.
 */
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { open, realpath } from "node:fs/promises"
import { createServer } from "node:http"
import { extname, join, sep } from "node:path"
import { pipeline } from "node:stream"

const [folder = ".", port = "8080"] = process.argv.slice(2)
const root = await realpath(folder)

/** @source IANA media types; text types carry their charset */
const types = {
  ".avif": "image/avif",
  ".css": "text/css; charset=utf-8",
  ".csv": "text/csv; charset=utf-8",
  ".gif": "image/gif",
  ".htm": "text/html; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".md": "text/markdown; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".mp3": "audio/mpeg",
  ".mp4": "video/mp4",
  ".otf": "font/otf",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".svg": "image/svg+xml; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webm": "video/webm",
  ".webmanifest": "application/manifest+json; charset=utf-8",
  ".webp": "image/webp",
  ".woff": "font/woff",
  ".woff2": "font/woff2",
  ".xml": "application/xml; charset=utf-8"
}

/** The file of a URL path below the root, opened; nothing when there is none that may be served. */
const find = async (path) => {
  if (path.includes("\0") || path.split("/").some((name) => name === ".." || isHidden(name))) return undefined
  for (const candidate of [path, join(path, "index.html"), `${path.replace(/\/$/, "")}.html`]) {
    const real = await realpath(join(root, candidate)).catch(() => undefined)
    if (real === undefined || !(real === root || real.startsWith(root + sep))) continue
    const handle = await open(real, "r").catch(() => undefined)
    const info = await handle?.stat()
    if (info?.isFile())
      return { handle, info, path: real, isFolder: candidate !== path && !path.endsWith("/") }
    await handle?.close()
  }
  return undefined
}

const isHidden = (name) => name.startsWith(".") && name !== ".well-known" && name !== "."

const decodePath = (url) => {
  try {
    return decodeURIComponent(new URL(url, "http://site").pathname)
  } catch {
    return undefined
  }
}

/** `[first, last]` of a satisfiable single range, `null` for one that is not, `undefined` for none that we serve. */
const rangeOf = (header, size) => {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "")
  if (match === null || (match[1] === "" && match[2] === "")) return undefined
  const first = match[1] === "" ? Math.max(0, size - Number(match[2])) : Number(match[1])
  const last = match[1] === "" || match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1)
  return first <= last ? [first, last] : null
}

const tags = new Map()

/** Names the content, so that all copies of a release and later releases agree; files of a release never change. */
const tagOf = async ({ handle, info, path }) => {
  const known = tags.get(path)
  if (known !== undefined) return known
  const hash = createHash("sha256")
  const bytes = Buffer.alloc(64 * 1024)
  let position = 0
  while (position < info.size) {
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, position)
    if (bytesRead === 0) break
    hash.update(bytes.subarray(0, bytesRead))
    position += bytesRead
  }
  const tag = `"${hash.digest("base64url").slice(0, 22)}"`
  tags.set(path, tag)
  return tag
}

const refuse = (response, status, text) => {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`)
}

const send = async (request, response, { handle, info, path }, status) => {
  const tag = await tagOf({ handle, info, path })
  const type = types[extname(path).toLowerCase()] ?? "application/octet-stream"
  const headers = {
    "content-type": type,
    etag: tag,
    "cache-control": "public, max-age=0, must-revalidate",
    "accept-ranges": "bytes",
    "x-content-type-options": "nosniff"
  }
  const close = () => handle.close()
  const known = request.headers["if-none-match"]
  if (status === 200 && known?.split(",").some((value) => value.trim().replace(/^W\//, "") === tag)) {
    response.writeHead(304, headers).end()
    return close()
  }
  const isCurrent = request.headers["if-range"] === undefined || request.headers["if-range"] === tag
  const range = status === 200 && isCurrent ? rangeOf(request.headers.range, info.size) : undefined
  if (range === null) {
    response.writeHead(416, { "content-range": `bytes */${info.size}` }).end()
    return close()
  }
  const [first, last] = range ?? [0, info.size - 1]
  response.writeHead(range === undefined ? status : 206, {
    ...headers,
    "content-length": last - first + 1,
    ...(range === undefined ? {} : { "content-range": `bytes ${first}-${last}/${info.size}` })
  })
  if (request.method === "HEAD" || info.size === 0) {
    response.end()
    return close()
  }
  pipeline(createReadStream("", { fd: handle, start: first, end: last }), response, () => {})
}

const answer = async (request, response) => {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD")
    return refuse(response, 405, "only GET and HEAD")
  }
  const path = decodePath(request.url ?? "/")
  if (path === undefined) return refuse(response, 400, "malformed path")
  const found = await find(path)
  if (found?.isFolder && found.path.endsWith(`${sep}index.html`)) {
    await found.handle.close()
    const query = new URL(request.url, "http://site").search
    const place = path.split("/").map(encodeURIComponent).join("/").replace(/^\/+/, "/")
    return response.writeHead(308, { location: `${place}/${query}` }).end()
  }
  if (found !== undefined) return send(request, response, found, 200)
  const own = await find("/404.html")
  if (own !== undefined) return send(request, response, own, 404)
  refuse(response, 404, "not found")
}

const server = createServer((request, response) => {
  answer(request, response).catch(() => {
    if (response.headersSent) response.destroy()
    else refuse(response, 500, "the file could not be read")
  })
})

server.listen(Number(port))

process.once("SIGTERM", () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
