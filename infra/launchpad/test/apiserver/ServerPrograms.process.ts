/**
 * etcd, kube-apiserver and, where it is given, kube-controller-manager in a process of their own, so that they end with the run
 * even when that is killed. Arguments: the folder, then the programs as JSON.
 */
import * as ServerCertificate from "@starform/launchpad/kubernetes/ServerCertificate"
import { Effect, Redacted } from "effect"
import { generateKeyPairSync, randomBytes } from "node:crypto"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { request } from "node:https"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { serve } from "../../../../bench/program.ts"
import { RunningProgram } from "./RunningProgram.ts"
import { apiServerArguments, controllerManagerArguments, etcdArguments, filesOf } from "./ServerArguments.ts"
import type { Programs } from "./ServerChoice.ts"

const startMilliseconds = 60_000

const [, , folder = "", given = "{}"] = process.argv
const programs = JSON.parse(given) as Programs
const files = filesOf(folder)

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

const running: Array<RunningProgram> = []

const run = (file: string, words: ReadonlyArray<string>): RunningProgram => {
  const program = new RunningProgram(file, words, join(folder, `${running.length}.log`))
  running.push(program)
  return program
}

const stop = async (): Promise<void> => {
  for (const program of running.toReversed()) await program.stop()
  rmSync(folder, { recursive: true, force: true })
}

process.on("exit", () => {
  for (const program of running) program.kill()
})

const token = randomBytes(24).toString("hex")
const certificate = await Effect.runPromise(ServerCertificate.make(Date.now()))
const ports = { etcd: await freePort(), api: await freePort() }
const url = `https://127.0.0.1:${ports.api}`

const accounts = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" }
})
const secret = { mode: 0o600 }
mkdirSync(files.certificates, { mode: 0o700 })
writeFileSync(files.certificate, certificate.certificate)
writeFileSync(files.certificateKey, Redacted.value(certificate.privateKey), secret)
writeFileSync(files.accountPublicKey, accounts.publicKey)
writeFileSync(files.accountKey, accounts.privateKey, secret)
writeFileSync(files.tokens, `${token},starform-test,starform-test,"system:masters"\n`, secret)
const authority = Buffer.from(certificate.certificate).toString("base64")
const kubeconfig = {
  apiVersion: "v1",
  kind: "Config",
  clusters: [{ name: "test", cluster: { server: url, "certificate-authority-data": authority } }],
  users: [{ name: "test", user: { token } }],
  contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
  "current-context": "test"
}
writeFileSync(files.kubeconfig, JSON.stringify(kubeconfig), secret)

const isReady = (): Promise<boolean> =>
  new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}` }
    const asked = request(
      `${url}/readyz`,
      { ca: certificate.certificate, headers, agent: false },
      (answer) => {
        answer.resume()
        resolve(answer.statusCode === 200)
      }
    )
    asked.on("error", () => resolve(false)).end()
  })

try {
  const etcd = run(programs.etcd, etcdArguments(folder, ports.etcd))
  await etcd.ready(async () => (await fetch(`http://127.0.0.1:${ports.etcd}/health`)).ok, startMilliseconds)
  const hasControllers = programs.controllerManager !== null
  const apiServer = run(programs.apiServer, apiServerArguments(folder, ports, hasControllers))
  await apiServer.ready(isReady, startMilliseconds)
  if (programs.controllerManager !== null) run(programs.controllerManager, controllerManagerArguments(folder))
  serve({ pids: () => running.map(({ pid }) => pid) }, stop)
} catch (cause) {
  await stop()
  const problem = cause instanceof Error ? cause.message : String(cause)
  process.send?.({ id: 0, problem }, undefined, {}, () => process.exit(1))
}
