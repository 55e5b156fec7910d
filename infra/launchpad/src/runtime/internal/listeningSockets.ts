import { linkOf, listProc, readProc } from "./processTable.ts"

export interface ListeningSocket {
  /** `0.0.0.0`, `127.0.0.1`, `::`, `::1`, … */
  readonly address: string
  readonly port: number
}

/** TCP state LISTEN in `/proc/net/tcp` (include/net/tcp_states.h). */
const listening = "0A"

const bytesOf = (hex: string): ReadonlyArray<number> =>
  (hex.match(/.{8}/g) ?? []).flatMap((word) =>
    (word.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).reverse()
  )

/** The kernel prints addresses as 32-bit words in the machine's (little-endian) order. */
export const addressOf = (hex: string): string => {
  const bytes = bytesOf(hex)
  if (bytes.length === 4) {
    return bytes.join(".")
  }
  if (bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255) {
    return bytes.slice(12).join(".")
  }
  if (bytes.slice(0, 15).every((byte) => byte === 0)) {
    return bytes[15] === 0 ? "::" : bytes[15] === 1 ? "::1" : `::${bytes[15]?.toString(16) ?? ""}`
  }
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16)
  )
  return groups.join(":")
}

/** Listening sockets of one `/proc/net/tcp` text by inode. */
export const parseListening = (text: string): ReadonlyMap<string, ListeningSocket> =>
  new Map(
    text
      .split("\n")
      .slice(1)
      .flatMap((line) => {
        const fields = line.trim().split(/\s+/)
        const [address, port] = (fields[1] ?? "").split(":")
        const inode = fields[9]
        return fields[3] === listening && address !== undefined && port !== undefined && inode !== undefined
          ? [[inode, { address: addressOf(address), port: Number.parseInt(port, 16) }] as const]
          : []
      })
  )

/** Sockets on which these processes listen. Empty where the system has no procfs. */
export const listeningSockets = (pids: ReadonlyArray<number>): ReadonlyArray<ListeningSocket> => {
  const sockets = new Map([
    ...parseListening(readProc("net/tcp") ?? ""),
    ...parseListening(readProc("net/tcp6") ?? "")
  ])
  const inodes = new Set(
    pids.flatMap((pid) =>
      listProc(`${pid}/fd`).flatMap(
        (fd) => /^socket:\[(\d+)\]$/.exec(linkOf(`${pid}/fd/${fd}`) ?? "")?.[1] ?? []
      )
    )
  )
  return [...inodes].flatMap((inode) => sockets.get(inode) ?? [])
}

export const isLoopback = (address: string): boolean => address.startsWith("127.") || address === "::1"
