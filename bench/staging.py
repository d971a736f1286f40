"""Runs our tools where the reference's run: behind a command prefix (VKQ_PEER) that makes the current folder theirs, with the Vulkan driver that is there.

What a plain system has is left to that place: its own C library and Vulkan loader must be used. All else that a tool is linked with lies beside it."""

import json, os, pathlib, re, shlex, shutil, subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
SYSTEM = re.compile(r"/(libc|libm|libdl|libpthread|librt|libstdc\+\+|libgcc_s|libvulkan|ld-linux[^/]*)\.")


class Stage:
	"""A folder that holds tools and files; commands run in it, behind the prefix if there is one."""

	def __init__(self, folder, prefix):
		self.folder, self.prefix = pathlib.Path(folder), shlex.split(prefix or "")

	def tool(self, name):
		"""Copies build/bin/NAME and its libraries; gives the command that starts it."""
		program = ROOT / "build/bin" / name
		if not self.prefix:
			return [str(program)]
		shutil.copy(program, self.folder)
		(self.folder / "lib").mkdir(exist_ok=True)
		linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
		for library in re.findall(r"=> (/\S+)", linked):
			if not SYSTEM.search(library):
				shutil.copy(library, self.folder / "lib")
		return ["env", "LD_LIBRARY_PATH=lib", "VKQ_CACHE_DIR=cache", "./" + name]

	def run(self, command):
		"""Standard output and standard error of a command that must succeed."""
		done = subprocess.run([*self.prefix, *command], cwd=self.folder, capture_output=True, text=True)
		if done.returncode:
			raise SystemExit(f"{shlex.join(command)} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
		return done.stdout, done.stderr

	def json(self, command):
		return json.loads(self.run([*command, "--json"])[0])


def host():
	"""What a figure of time depends on: the processor and how many of its threads there are."""
	models = re.findall(r"^model name\s*: (.*)$", open("/proc/cpuinfo").read(), re.M)
	return f"{models[0] if models else os.uname().machine}, {os.cpu_count()} threads"
