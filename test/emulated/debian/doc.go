// Package debian gets, from Debian's own packages, what the emulated machines
// are made of: kernels for the Raspberry Pi and for QEMU's virt board, the
// kernel modules that Debian does not build (gpio-sim, v4l2loopback), and a QEMU
// that knows the Pi's I²C controller.
//
// Everything stays in one folder: apt's state, the packages, what is unpacked
// and built. The machine's own packages and dpkg architectures are not touched,
// and no root rights are needed.
package debian
