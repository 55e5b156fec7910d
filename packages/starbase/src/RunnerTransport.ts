/**
 * How runners reach each other: their RPC over TLS with a key that all processes of one Starbase share (TLS-PSK, RFC
 * 4279). Both sides prove that they hold it before a byte is read, so that neither an app on the same loopback nor a
 * runner of another Starbase on a port that this one used before can ask an entity anything, or answer for one.
 */
import { hkdfSync } from "node:crypto"
import type { ConnectionOptions, TlsOptions } from "node:tls"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Runners from "effect/cluster/Runners"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import { CloseEvent, Socket } from "effect/socket/Socket"

/** Sent in clear by whoever connects; says which key is meant, and is no secret. */
const identity = "starform-runner"

/** The one suite with forward secrecy and authenticated encryption that Node can run without certificates; TLS 1.2 only. */
const suite = {
  ciphers: "ECDHE-PSK-CHACHA20-POLY1305",
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.2"
} as const

/** Milliseconds until a peer that says nothing is cut. */
const handshakeTimeout = 2_000

/** Milliseconds that a runner may take to answer the door. */
const openTimeout = 1_000

/** @param masterKey 32 bytes, base64; the runners' key is derived from it (HKDF-SHA-256) and is good for nothing else */
export const keyOf = (masterKey: Redacted.Redacted<string>): Buffer =>
  Buffer.from(
    hkdfSync("sha256", Buffer.from(Redacted.value(masterKey), "base64"), "", "starform runner transport", 32)
  )

const accepting = (key: Buffer): TlsOptions => ({
  ...suite,
  handshakeTimeout,
  pskCallback: (_, claimed) => (claimed === identity ? key : null)
})

const connecting = (key: Buffer): ConnectionOptions => ({
  ...suite,
  pskCallback: () => ({ psk: key, identity }),
  // There is no certificate: holding the key is the proof.
  checkServerIdentity: () => undefined
})

/**
 * The socket that other runners connect to. Whoever cannot prove the key is cut, and nothing else notices.
 *
 * @errors SocketServerError when the port cannot be had
 */
export const layerServer = (
  masterKey: Redacted.Redacted<string>,
  listen: { readonly host: string; readonly port: number }
) => NodeSocketServer.layerTls({ ...accepting(keyOf(masterKey)), ...listen })

/**
 * A frame that the other side cannot read, one beyond its size for instance, leaves its parser spent: it would answer every
 * later frame of the connection with a defect. So a defect of the connection ends it; the next request opens another.
 */
const renewed = Effect.fnUntraced(function* (protocol: RpcClient.Protocol["Service"], socket: Socket) {
  const { write } = yield* socket.writer
  return RpcClient.Protocol.of({
    ...protocol,
    run: (clientId, receive) =>
      protocol.run(clientId, (response) =>
        response._tag === "Defect"
          ? Effect.andThen(receive(response), Effect.ignore(write(new CloseEvent(1011))))
          : receive(response)
      )
  })
})

/** Connections to other runners. A peer that cannot prove the key is as good as away. */
export const layerClient = (masterKey: Redacted.Redacted<string>) =>
  Layer.effect(
    Runners.RpcClientProtocol,
    Effect.map(RpcSerialization.RpcSerialization, (serialization) => ({
      codecFor: serialization.codecFor,
      make: Effect.fnUntraced(function* ({ host, port }) {
        const socket = yield* NodeSocket.makeTls({
          ...connecting(keyOf(masterKey)),
          host,
          port,
          openTimeout
        })
        const protocol = yield* RpcClient.makeProtocolSocket().pipe(
          Effect.provideService(Socket, socket),
          Effect.provideService(RpcSerialization.RpcSerialization, serialization)
        )
        return yield* renewed(protocol, socket)
      }, Effect.orDie)
    }))
  )
