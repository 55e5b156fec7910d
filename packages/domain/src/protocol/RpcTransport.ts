/**
 * How public RPCs travel: one request frame per HTTP POST, as one line of JSON that ends with a newline; the answer is
 * the frames of that request, one a line. Client and server take these values from here and nowhere else.
 */
import * as RpcSerialization from "effect/rpc/RpcSerialization"

export const rpcPath = "/rpc"

/** Largest request frame, in bytes; more is answered with 413. */
export const requestBytesMax = 1024 * 1024

export const serialization = RpcSerialization.ndjson
