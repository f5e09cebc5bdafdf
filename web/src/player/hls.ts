/**
 * The one file that speaks hls.js's words: its *fragment* is our segment, its *level* our variant, its *manifest* our
 * playlist.
 *
 * hls.js is never given an address to load playlists from. It is handed the feed, rendered as a live playlist, each
 * time it would reload; what the feed holds and when it grows is decided by the keeper. And each init segment is looked
 * at before it gets it: a media source cannot gain or lose a track, so a run with other tracks than the session began
 * with is held back, and the player starts a new session where it begins.
 */
import Hls, {
  type ErrorData,
  type FragmentLoaderContext,
  type HlsConfig,
  type Loader,
  type LoaderCallbacks,
  type LoaderConfiguration,
  type LoaderStats,
  LoadStats,
  type PlaylistLoaderContext,
} from 'hls.js/light';
import { type Feed, entryEnd } from './feed';
import { type Tracks, lacking, sameTracks, tracksOf } from './init';
import { type Mapping, estimate } from './mapping';
import { renderPlaylist } from './playlist';
import type { Trouble } from './trouble';

export interface FeedSource {
  current(): Feed;
  /** The feed to show next; called about once per segment length while the session lasts. */
  next(): Promise<Feed>;
}

export interface SessionEvents {
  /** Media times of segments became known or moved. */
  mapped(): void;
  /** The session will play up to this run and not into it. */
  barrier(barrier: Barrier): void;
  /** The session cannot go on; said once. */
  trouble(trouble: Trouble): void;
}

export interface Barrier {
  /** The run, by the address of its init segment. */
  readonly init: string;
  /** A format this browser has no decoder for; `null` when a new session can play it. */
  readonly lacking: string | null;
}

export interface Session {
  mapping(): Mapping;
  setRate(rate: number): void;
  destroy(): void;
}

export function canPlay(): boolean {
  return Hls.isSupported();
}

/** Never requested: hls.js wants an address to resolve others against, and ours are absolute already. */
const nowhere = 'feed.m3u8';

/** Seconds buffered ahead at normal speed: the next segments are there before they are needed, and a seek wastes little. */
const aheadS = 24;

export function startSession(
  video: HTMLVideoElement,
  source: FeedSource,
  startS: number,
  events: SessionEvents,
): Session {
  const onBarrier = (barrier: Barrier) => {
    // A decoder keeps the last frames back as long as more may come, and what comes is not for this session.
    for (const type of ['video', 'audio', 'audiovideo'] as const) hls.trigger(Hls.Events.BUFFER_EOS, { type });
    events.barrier(barrier);
  };
  const hls = new Hls(config(source, startS, onBarrier));
  let over = false;
  const end = (trouble: Trouble | null) => {
    if (over || !trouble) return;
    over = true;
    events.trouble(trouble);
  };
  hls.on(Hls.Events.LEVEL_UPDATED, events.mapped);
  hls.on(Hls.Events.LEVEL_PTS_UPDATED, events.mapped);
  hls.on(Hls.Events.ERROR, (_, data) => end(troubleOf(data)));
  // What the decoder trips over hls.js learns only when it has more to append: at the live edge that may be never.
  const onError = () => end(video.error?.code === MediaError.MEDIA_ERR_DECODE ? { kind: 'decoder' } : null);
  video.addEventListener('error', onError);
  hls.attachMedia(video);
  hls.loadSource(new URL(nowhere, document.baseURI).href);
  return {
    mapping: () => mappingOf(hls, source.current()),
    setRate: (rate) => {
      hls.config.maxBufferLength = aheadS * Math.max(1, rate);
    },
    destroy: () => {
      video.removeEventListener('error', onError);
      hls.destroy();
    },
  };
}

function config(source: FeedSource, startS: number, onBarrier: (barrier: Barrier) => void): Partial<HlsConfig> {
  return {
    startPosition: startS,
    pLoader: feedLoader(source),
    fLoader: segmentLoader(onBarrier),
    maxBufferLength: aheadS,
    maxMaxBufferLength: 240,
    // Enough for going back ±1 min without loading again; a day of 4 Mbit/s would not fit.
    backBufferLength: 90,
    // Segments are passed through, not remuxed: a worker would cost more than it saves, and the page's
    // Content-Security-Policy stays without blob: workers.
    enableWorker: false,
    lowLatencyMode: false,
    // A finite length would grow with each segment, and an element whose playhead reaches it ends, for good.
    liveDurationInfinity: true,
    testBandwidth: false,
    // The first segment is on its way while the browser is still opening the media source.
    startFragPrefetch: true,
    capLevelToPlayerSize: false,
    enableID3MetadataCues: false,
    enableEmsgMetadataCues: false,
    enableDateRangeMetadataCues: false,
  };
}

/** Answers every wish for a playlist from the feed. */
function feedLoader(source: FeedSource): NonNullable<HlsConfig['pLoader']> {
  return class implements Loader<PlaylistLoaderContext> {
    context: PlaylistLoaderContext | null = null;
    stats: LoaderStats = new LoadStats();
    #gone = false;

    load(
      context: PlaylistLoaderContext,
      _: LoaderConfiguration,
      callbacks: LoaderCallbacks<PlaylistLoaderContext>,
    ): void {
      this.context = context;
      this.stats.loading.start = performance.now();
      const first = context.type === 'manifest';
      void Promise.resolve(first ? source.current() : source.next()).then((feed) => {
        if (this.#gone) return;
        const data = renderPlaylist(feed);
        const now = performance.now();
        Object.assign(this.stats.loading, { first: now, end: now });
        this.stats.loaded = this.stats.total = data.length;
        callbacks.onSuccess({ url: context.url, data, code: 200 }, this.stats, context, null);
      });
    }

    abort(): void {
      this.#gone = true;
      this.stats.aborted = true;
    }

    destroy(): void {
      this.#gone = true;
    }
  };
}

/** Loads segments as hls.js would, but hands on no init segment that the session's buffers could not take. */
function segmentLoader(onBarrier: (barrier: Barrier) => void): NonNullable<HlsConfig['fLoader']> {
  let begun: Tracks | null = null;
  const isSupported = (type: string) => MediaSource.isTypeSupported(type);

  function barrierAt(init: string, data: unknown): Barrier | null {
    if (!(data instanceof ArrayBuffer)) return null;
    const tracks = tracksOf(data);
    const missing = lacking(tracks, isSupported);
    if (missing !== null) return { init, lacking: missing };
    begun ??= tracks;
    return sameTracks(begun, tracks) ? null : { init, lacking: null };
  }

  return class implements Loader<FragmentLoaderContext> {
    #inner: Loader<FragmentLoaderContext>;

    constructor(config: HlsConfig) {
      this.#inner = new Hls.DefaultConfig.loader(config) as Loader<FragmentLoaderContext>;
    }

    get context(): FragmentLoaderContext | null {
      return this.#inner.context;
    }

    get stats(): LoaderStats {
      return this.#inner.stats;
    }

    load(
      context: FragmentLoaderContext,
      config: LoaderConfiguration,
      callbacks: LoaderCallbacks<FragmentLoaderContext>,
    ): void {
      const isInit = context.frag.sn === 'initSegment';
      this.#inner.load(context, config, {
        ...callbacks,
        onSuccess: (response, ...rest) => {
          const barrier = isInit ? barrierAt(context.url, response.data) : null;
          // Left without an answer: what is buffered plays to its end, and any seek takes the question back.
          if (barrier) onBarrier(barrier);
          else callbacks.onSuccess(response, ...rest);
        },
      });
    }

    abort(): void {
      this.#inner.abort();
    }

    destroy(): void {
      this.#inner.destroy();
    }

    getCacheAge(): number | null {
      return this.#inner.getCacheAge?.() ?? null;
    }

    getResponseHeader(name: string): string | null {
      return this.#inner.getResponseHeader?.(name) ?? null;
    }
  };
}

/** Sequence numbers join hls.js's fragments, which know media time, with our entries, which know wall time. */
function mappingOf(hls: Hls, feed: Feed): Mapping {
  const fragments = hls.levels[0]?.details?.fragments ?? [];
  const spans = fragments.flatMap((fragment) => {
    const i = Number(fragment.sn) - feed.firstSequence;
    const entry = feed.entries[i];
    if (!entry) return [];
    return {
      start: entry.start,
      end: entryEnd(feed.entries, i),
      mediaStartS: fragment.start,
      mediaEndS: fragment.end,
    };
  });
  return spans.length > 0 ? spans : estimate(feed);
}

function troubleOf(data: ErrorData): Trouble | null {
  const status = data.response?.code ?? 0;
  // Without a session nothing else will succeed: say so at once instead of trying six times.
  if (status === 401) return { kind: 'signed_out' };
  if (!data.fatal) return null;
  switch (data.details) {
    case Hls.ErrorDetails.BUFFER_ADD_CODEC_ERROR:
    case Hls.ErrorDetails.BUFFER_INCOMPATIBLE_CODECS_ERROR:
    case Hls.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR:
      return { kind: 'unplayable', codec: /codecs="?([^"]*)/.exec(data.mimeType ?? '')?.[1] ?? '' };
    default:
  }
  if (data.type !== Hls.ErrorTypes.NETWORK_ERROR) return { kind: 'decoder' };
  if (status === 404 || status === 410) return { kind: 'missing' };
  if (status === 403) return { kind: 'forbidden' };
  return status === 500 ? { kind: 'damaged' } : { kind: 'network' };
}
