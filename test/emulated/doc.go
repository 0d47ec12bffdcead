// Package emulated proves the hardware path on a real kernel and real device
// nodes, without hardware: it boots an emulated Raspberry Pi Zero and an ARMv7
// machine under QEMU and runs tests and the program itself in there.
//
//	go test -tags emulated -timeout 20m ./test/emulated
//
// The machines are
//
//   - raspi0: ARMv6, Debian's rpi kernel, the Pi's own pinctrl, I²C and
//     framebuffer drivers (640 × 480 RGB565);
//   - virt: ARMv7, Debian's armmp kernel, a virtio screen of 32 bits.
//
// On both a gpio-sim chip gives lines that a test can pull, vivid and
// v4l2loopback are the cameras, and a CP2112 bridge over uhid carries the same
// BME680 as hw/mock.
//
// What is needed: Debian 12 with its qemu-system-arm, device-tree-compiler,
// kmod, make, gcc-12 and gcc-arm-linux-gnueabihf packages; what else is fetched
// from Debian's archive into .cache/emulated (see package debian). Nothing needs
// root, or KVM.
package emulated
