"""Measures Retroview beside ffmpeg and nginx. Called by script/bench; needs Python's standard library only.

What is compared is the CPU time (user + system) of the process that does the work, its children included, per GB of
media. Both sides take turns within one run and medians are printed, because this machine may be shared.
"""

import contextlib
import http.client
import json
import os
import random
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROUNDS = 3
PASSWORD = "bench bench bench"
SOURCE_SECONDS = 600
WORK = Path("target/bench")


def cpu_of(command, env=None):
    """Runs a command to its end: CPU seconds of it and its children, and elapsed seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=env)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.monotonic() - began)


def source():
    """A 1080p25 4 Mbit/s H.264 + AAC MPEG-TS of ten minutes, made once."""
    path = WORK / "1080p-4mbit.ts"
    if path.exists():
        return path
    print("making the source file (once)", file=sys.stderr)
    WORK.mkdir(parents=True, exist_ok=True)
    minute, part = WORK / "minute.ts", WORK / "source.part"
    ffmpeg = ["ffmpeg", "-nostdin", "-v", "error", "-y"]
    picture = "testsrc2=size=1920x1080:rate=25,noise=alls=6:allf=t"
    subprocess.run(ffmpeg + ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "60",
        "-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-keyint_min", "50", "-sc_threshold", "0", "-pix_fmt", "yuv420p",
        "-b:v", "3850k", "-minrate", "3850k", "-maxrate", "3850k", "-bufsize", "4M", "-c:a", "aac", "-b:a", "128k", "-f", "mpegts", str(minute)], check=True)
    subprocess.run(ffmpeg + ["-stream_loop", str(SOURCE_SECONDS // 60 - 1), "-i", str(minute), "-c", "copy", "-f", "mpegts", str(part)], check=True)
    part.rename(path)
    return path


def environment(data):
    env = {k: v for k, v in os.environ.items() if not k.startswith("RETROVIEW_")}
    return env | {"RETROVIEW_DATA_DIR": str(data), "RETROVIEW_ACCESS_ADMIN_PASSWORD": PASSWORD, "RETROVIEW_MEDIA_MIN_FREE": "0"}


def import_into(retroview, data, path):
    env = environment(data)
    subprocess.run([retroview, "streams", "add", "bench", "push:"], check=True, env=env)
    return cpu_of([retroview, "import", "bench", str(path), "--start", "2026-01-01T00:00:00Z"], env)


def bench_ingest(retroview):
    path = source()
    gigabytes = path.stat().st_size / 1e9
    copy = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(path), "-c", "copy"]
    sides = {
        "ffmpeg -c copy, 4 s fMP4 HLS": lambda d: cpu_of(copy + ["-f", "hls", "-hls_time", "4", "-hls_list_size", "0", "-hls_segment_type", "fmp4", f"{d}/index.m3u8"]),
        "ffmpeg -c copy, one fMP4": lambda d: cpu_of(copy + ["-movflags", "frag_keyframe+empty_moov", "-f", "mp4", f"{d}/one.mp4"]),
        "ffmpeg -c copy, null (demux only)": lambda d: cpu_of(copy + ["-f", "null", "-"]),
        "retroview import, indexed and synced": lambda d: import_into(retroview, Path(d) / "data", path),
    }
    found = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, run in sides.items():
            with tempfile.TemporaryDirectory(dir=WORK) as folder:
                found[name].append(run(folder))
    print(f"\nIngest of {SOURCE_SECONDS} s of 1080p25 at 4 Mbit/s ({gigabytes:.2f} GB), median of {ROUNDS}")
    print(f"{'':40} {'CPU s/GB':>9} {'elapsed':>9}")
    for name, runs in found.items():
        cpu, elapsed = statistics.median(r[0] for r in runs), statistics.median(r[1] for r in runs)
        print(f"{name:40} {cpu / gigabytes:9.2f} {elapsed:8.1f}s")
    ours = statistics.median(r[0] for r in found["retroview import, indexed and synced"])
    theirs = statistics.median(r[0] for r in found["ffmpeg -c copy, 4 s fMP4 HLS"])
    print(f"retroview / ffmpeg 4 s fMP4 HLS: {ours / theirs:.2f} (at most 1 is the goal)")


def group_cpu(pgid):
    """CPU seconds so far of every process in a group."""
    ticks = 0
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
            if int(fields[2]) == pgid:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def process(command, env=None):
    """A child in a group of its own that ends with the block."""
    child = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def until_answers(url):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(url, timeout=1):
                return
        time.sleep(0.005)
    raise SystemExit(f"{url} does not answer")


def nginx_config(folder, media, port):
    path = folder / "nginx.conf"
    path.write_text(f"""daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{ access_log off; sendfile on; tcp_nopush off; keepalive_requests 1000000; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
server {{ listen 127.0.0.1:{port}; root {media}; }} }}""")
    return ["nginx", "-c", str(path.absolute()), "-e", str((folder / "error.log").absolute())]


def fetch_all(port, requests, headers, connections=8):
    """Sends the requests over keep-alive connections; bytes received."""
    received, buffers = [0] * connections, [bytearray(1 << 20) for _ in range(connections)]
    failures = []

    def client(n):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for path, first, length in requests[n::connections]:
            ranged = {} if first is None else {"Range": f"bytes={first}-{first + length - 1}"}
            connection.request("GET", path, headers=headers | ranged)
            answer = connection.getresponse()
            if answer.status not in (200, 206):
                failures.append(f"{path}: {answer.status} {answer.read(300)!r}")
                return
            while count := answer.readinto(buffers[n]):
                received[n] += count
        connection.close()

    threads = [threading.Thread(target=client, args=(n,)) for n in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"a request failed: {failures[0]}")
    return sum(received)


def bench_serve(retroview):
    with tempfile.TemporaryDirectory(dir=WORK) as name:
        folder = Path(name).absolute()
        data = folder / "data"
        import_into(retroview, data, source())
        env = environment(data)
        token = subprocess.run([retroview, "tokens", "create", "bench", "--scopes", "view"], check=True, env=env, capture_output=True, text=True).stdout.strip()
        ours_port, nginx_port = free_port(), free_port()
        blocks = sorted((data / "media" / "main" / "bench").rglob("*.mp4"), key=lambda p: p.stat().st_size)
        block = blocks[-1]
        size, block_id = block.stat().st_size, block.stem.rsplit("-", 1)[1]
        ours_headers = {"Authorization": f"Bearer {token}"}
        with process([retroview, "serve", "--listen", f"127.0.0.1:{ours_port}"], env) as ours, process(nginx_config(folder, data / "media", nginx_port)) as nginx:
            until_answers(f"http://127.0.0.1:{ours_port}/readyz")
            until_answers(f"http://127.0.0.1:{nginx_port}/{block.relative_to(data / 'media')}?")
            sides = {
                "nginx, sendfile": (nginx, nginx_port, f"/{block.relative_to(data / 'media')}", {}),
                "retroview": (ours, ours_port, f"/v1/streams/bench/blocks/{block_id}.mp4", ours_headers),
            }
            for label, length, count in (("random 1 MiB ranges", 1 << 20, 4000), ("random 64 KiB ranges", 1 << 16, 20000)):
                print(f"\nServing {label} of one block ({size / 1e6:.0f} MB), 8 connections, median of {ROUNDS}")
                found = {name: [] for name in sides}
                for turn in range(ROUNDS):
                    random.seed(turn)
                    starts = [random.randrange(size - length) for _ in range(count)]
                    for name, (child, port, path, headers) in sides.items():
                        before = group_cpu(child.pid)
                        received = fetch_all(port, [(path, at, length) for at in starts], headers)
                        found[name].append((group_cpu(child.pid) - before) / (received / 1e9))
                for name, runs in found.items():
                    print(f"{name:40} {statistics.median(runs):9.3f} CPU s/GB")
                ratio = statistics.median(found["retroview"]) / statistics.median(found["nginx, sendfile"])
                print(f"retroview / nginx: {ratio:.2f} (at most 1.2 is the goal)")
            whole_segments(ours, ours_port, ours_headers, nginx, nginx_port, folder, data)


def whole_segments(ours, ours_port, headers, nginx, nginx_port, folder, data):
    """The same segments from us and, copied out as files, from nginx."""
    connection = http.client.HTTPConnection("127.0.0.1", ours_port)
    connection.request("GET", "/v1/streams/bench/media.m3u8?start=2026-01-01T00:00:00Z&end=2026-01-01T00:10:00Z", headers=headers)
    playlist = connection.getresponse().read().decode()
    names = [line.split("segments/")[1].split("?")[0] for line in playlist.splitlines() if "segments/" in line]
    copies = data / "media" / "copies"
    copies.mkdir()
    for name in names:
        connection.request("GET", f"/v1/streams/bench/segments/{name}", headers=headers)
        (copies / name).write_bytes(connection.getresponse().read())
    print(f"\nServing {len(names)} whole segments of 4 s, 8 connections, median of {ROUNDS}")
    sides = {"nginx, sendfile": (nginx, nginx_port, "/copies/", {}), "retroview": (ours, ours_port, "/v1/streams/bench/segments/", headers)}
    found = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, (child, port, base, its_headers) in sides.items():
            before = group_cpu(child.pid)
            received = fetch_all(port, [(base + n, None, None) for n in names * 10], its_headers)
            found[name].append((group_cpu(child.pid) - before) / (received / 1e9))
    for name, runs in found.items():
        print(f"{name:40} {statistics.median(runs):9.3f} CPU s/GB")
    print(f"retroview / nginx: {statistics.median(found['retroview']) / statistics.median(found['nginx, sendfile']):.2f} (at most 1.2 is the goal)")
    shutil.rmtree(copies)


def bench_start(retroview):
    """From exec to ready, on what `import` left."""
    with tempfile.TemporaryDirectory(dir=WORK) as name:
        data = Path(name).absolute() / "data"
        import_into(retroview, data, source())
        times = []
        for _ in range(ROUNDS + 2):
            port = free_port()
            began = time.monotonic()
            with process([retroview, "serve", "--listen", f"127.0.0.1:{port}"], environment(data)):
                until_answers(f"http://127.0.0.1:{port}/readyz")
                times.append(time.monotonic() - began)
    print(f"\nStart-up to ready: median {statistics.median(times) * 1000:.0f} ms of {len(times)}")


def main():
    retroview = str(Path(sys.argv[1]).absolute())
    WORK.mkdir(parents=True, exist_ok=True)
    steps = {"ingest": bench_ingest, "serve": bench_serve, "start": bench_start}
    print(json.dumps({"cores": os.cpu_count(), "load": os.getloadavg()[0]}))
    for step in sys.argv[2:]:
        steps[step](retroview)


if __name__ == "__main__":
    main()
