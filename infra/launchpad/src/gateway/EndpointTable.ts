/**
 * Addresses behind every Service port, what is in flight to each, and which are withdrawn. Mutable and synchronous:
 * the proxy asks it several times per request; nothing here waits.
 */
import * as Effect from "effect/Effect"
import type { EndpointSliceObject, ServiceObject } from "../controllers/objects/ServiceObject.ts"
import type { PodEndpoint } from "../runtime/TrafficDrain.ts"

export interface Endpoint extends PodEndpoint {
  /** `address:port`. */
  readonly id: string
  readonly ready: boolean
}

export interface EndpointTable {
  /** Replaces what is known of all ports of a Service. */
  readonly setService: (
    key: string,
    service: ServiceObject,
    slices: ReadonlyArray<EndpointSliceObject>
  ) => void
  readonly removeService: (key: string) => void
  /**
   * The ready endpoint with the least requests in flight, and counts one more for it; `excluded` are ids that this
   * request has tried. Every endpoint that was picked must be given back by `done`.
   */
  readonly pick: (service: string, excluded: ReadonlySet<string>) => Endpoint | undefined
  readonly done: (endpoint: Endpoint) => void
  /** How many endpoints the Service port has, ready or not; `undefined` for a Service that is not known. */
  readonly size: (service: string) => number | undefined
  /** Calls back once, at the next change of readiness. Returns its cancellation. */
  readonly onChange: (listener: () => void) => () => void
  readonly withdraw: (endpoints: ReadonlyArray<PodEndpoint>) => void
  readonly release: (endpoints: ReadonlyArray<PodEndpoint>) => void
  readonly inFlight: (endpoint: PodEndpoint) => number
  /** Calls back once, when something in flight has ended. Returns its cancellation. */
  readonly onDone: (listener: () => void) => () => void
}

const idOf = (endpoint: PodEndpoint): string => `${endpoint.address}:${endpoint.port}`

const endpointsOf = (portName: string, slices: ReadonlyArray<EndpointSliceObject>): ReadonlyArray<Endpoint> =>
  slices.flatMap((slice) => {
    const port = slice.ports.find((one) => one.name === portName)?.port
    return port === undefined
      ? []
      : slice.endpoints.flatMap(({ addresses, conditions }) =>
          addresses.map((address) => ({
            address,
            port,
            id: idOf({ address, port }),
            ready: conditions.ready && !conditions.terminating
          }))
        )
  })

const subscription = (listeners: Set<() => void>) => (listener: () => void) => {
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
  }
}

const callAll = (listeners: Set<() => void>) => {
  const told = [...listeners]
  listeners.clear()
  for (const listener of told) {
    listener()
  }
}

/** Empty. */
export const makeEndpointTable = (): EndpointTable => {
  const services = new Map<string, ReadonlyArray<Endpoint>>()
  const portsOf = new Map<string, ReadonlyArray<string>>()
  const counts = new Map<string, number>()
  const withdrawn = new Set<string>()
  const changeListeners = new Set<() => void>()
  const doneListeners = new Set<() => void>()
  let turn = 0

  const forget = (key: string) => {
    for (const port of portsOf.get(key) ?? []) {
      services.delete(port)
    }
    portsOf.delete(key)
  }

  return {
    setService: (key, service, slices) => {
      forget(key)
      const names = service.spec.ports.map((port) => {
        const name = `${key}:${port.port}`
        services.set(name, endpointsOf(port.name, slices))
        return name
      })
      portsOf.set(key, names)
      callAll(changeListeners)
    },
    removeService: (key) => {
      forget(key)
      callAll(changeListeners)
    },
    pick: (service, excluded) => {
      const usable = (services.get(service) ?? []).filter(
        (endpoint) => endpoint.ready && !withdrawn.has(endpoint.id) && !excluded.has(endpoint.id)
      )
      turn = (turn + 1) % Number.MAX_SAFE_INTEGER
      let best: Endpoint | undefined
      for (let index = 0; index < usable.length; index += 1) {
        const candidate = usable[(index + turn) % usable.length]
        if (
          candidate !== undefined &&
          (best === undefined || (counts.get(candidate.id) ?? 0) < (counts.get(best.id) ?? 0))
        ) {
          best = candidate
        }
      }
      if (best !== undefined) {
        counts.set(best.id, (counts.get(best.id) ?? 0) + 1)
      }
      return best
    },
    done: (endpoint) => {
      const left = (counts.get(endpoint.id) ?? 1) - 1
      if (left <= 0) {
        counts.delete(endpoint.id)
      } else {
        counts.set(endpoint.id, left)
      }
      callAll(doneListeners)
    },
    size: (service) => services.get(service)?.length,
    onChange: subscription(changeListeners),
    withdraw: (endpoints) => {
      for (const endpoint of endpoints) {
        withdrawn.add(idOf(endpoint))
      }
    },
    release: (endpoints) => {
      for (const endpoint of endpoints) {
        withdrawn.delete(idOf(endpoint))
      }
      callAll(changeListeners)
    },
    inFlight: (endpoint) => counts.get(idOf(endpoint)) ?? 0,
    onDone: subscription(doneListeners)
  }
}

/** Out of the rotation at once; waits until nothing is in flight. */
export const withdraw = (table: EndpointTable, endpoints: ReadonlyArray<PodEndpoint>): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    table.withdraw(endpoints)
    let cancel: () => void = () => undefined
    const look = () => {
      if (endpoints.every((endpoint) => table.inFlight(endpoint) === 0)) {
        resume(Effect.void)
      } else {
        cancel = table.onDone(look)
      }
    }
    look()
    return Effect.sync(() => cancel())
  })
