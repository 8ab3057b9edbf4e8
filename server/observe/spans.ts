import { createHash } from 'node:crypto';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

/** One piece of work on something's way, told when it is over. Times are milliseconds since 1970. */
export interface Worked {
  name: string;
  correlationId: string;
  from: number;
  to: number;
  /** Names and ids of our own; never what somebody wrote. */
  attributes: Record<string, string | number | boolean>;
  /** The code of what it failed with. */
  failed?: string;
}

export interface Spans {
  record(worked: Worked): void;
  /** Sends what is left. Resolves also when the collector is not there. */
  close(): Promise<void>;
}

const closeWithinMs = 2_000;

/** Sends spans to a collector, in batches, beside the work. This module is loaded only where a collector is configured. */
export function startSpans(
  { endpoint, headers }: { endpoint: string; headers: Readonly<Record<string, string>> },
  version: string,
): Spans {
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    headers: { ...headers },
    timeoutMillis: 10_000,
  });
  // Bounded: what a collector does not take is dropped, and nobody waits for it.
  const processor = new BatchSpanProcessor({ exporter, maxQueueSize: 4_096, scheduledDelayMillis: 1_000 });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'threadline', 'service.version': version }),
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer('threadline', version);

  return {
    record({ name, correlationId, from, to, attributes, failed }) {
      const span = tracer.startSpan(
        name,
        {
          startTime: from,
          kind: SpanKind.INTERNAL,
          attributes: { ...attributes, 'threadline.correlation_id': correlationId },
        },
        traceOf(correlationId),
      );
      if (failed !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failed });
      span.end(to);
    },
    async close() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, closeWithinMs);
      });
      await Promise.race([provider.shutdown().catch(() => undefined), late]);
      clearTimeout(timer);
    },
  };
}

/**
 * The trace of everything that one click led to. It is made from the correlation id, so nothing has to be carried beside
 * the event: another process, or a job after a restart, finds the same trace.
 */
function traceOf(correlationId: string) {
  const hash = createHash('sha256').update(correlationId).digest('hex');
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: hash.slice(0, 32),
    spanId: hash.slice(32, 48),
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  });
}
