"""An RTSP camera for the tests: loops a file of H.264 or H.265 (and AAC, Opus, G.711) in real time.

usage: /usr/bin/python3 rtsp.py FILE PORT [user:password]
Prints "ready" once it listens. Debian packages: gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-{base,good,bad}.
"""

import subprocess
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)
PATH, PORT = sys.argv[1], sys.argv[2]
CODECS = subprocess.check_output(
    ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", PATH], text=True
).split()
PAYLOADERS = {
    "h264": "h264parse config-interval=-1 ! rtph264pay",
    "hevc": "h265parse config-interval=-1 ! rtph265pay",
    "aac": "aacparse ! rtpmp4gpay",
    "opus": "opusparse ! rtpopuspay",
    "pcm_alaw": "rtppcmapay",
    "pcm_mulaw": "rtppcmupay",
}


class Camera(GstRtspServer.RTSPMediaFactory):
    def do_create_element(self, url):
        command = ["ffmpeg", "-v", "error", "-re", "-stream_loop", "-1", "-i", PATH, "-c", "copy", "-f", "matroska", "pipe:1"]
        self.sender = subprocess.Popen(command, stdout=subprocess.PIPE)
        launch = f"fdsrc fd={self.sender.stdout.fileno()} ! matroskademux name=d"
        for n, codec in enumerate(c for c in CODECS if c in PAYLOADERS):
            launch += f" d. ! queue ! {PAYLOADERS[codec]} name=pay{n} pt={96 + n}"
        return Gst.parse_launch(launch)


server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(PORT)
camera = Camera()
camera.set_shared(True)
if len(sys.argv) > 3:
    user, password = sys.argv[3].split(":", 1)
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(2)  # GST_RTSP_AUTH_DIGEST
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    role = "viewer, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
    camera.add_role_from_structure(Gst.Structure.new_from_string(role))
server.get_mount_points().add_factory("/cam", camera)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
