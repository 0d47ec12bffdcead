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
//   - virt: ARMv7, Debian's armmp kernel, a virtio screen of 32 bits (800 × 480,
//     then 1280 × 800), a network that reaches a mosquitto on the computer that
//     emulates it, and a virtio disk whose machine loses its power.
//
// On both a gpio-sim chip gives lines that a test can pull, vivid and
// v4l2loopback are the cameras, and a CP2112 bridge over uhid carries the same
// BME680 as hw/mock.
//
// The same bridge plays chips for which Debian's kernels have drivers: an SHT21
// (hwmon), a BH1750 (industrial I/O) and a DS18B20 behind a DS2482 (1-wire); the
// Pi's thermal zone is QEMU's own. Debian's ARM kernels have no i2c-stub, no
// industrial I/O dummy, no INA219 and no emulated thermal zones, and a DHT22 would
// need a line that is pulled within microseconds.
//
// # Lines that are driven
//
// What an output drives its line to is seen in two ways: the level of the gpio-sim line,
// and the kernel's own record (the event gpio_value of tracefs), which has each level in
// its order. The latter shows what happens at the end of a program, after which a gpio-sim
// line has the level of its pull again, and that a reload or a restart switches nothing in
// between. The pull stands for what a kernel does with the lines of a program that has
// ended (hw/pi): a test sets it to the level that the line has, or to the other one.
//
// # What runs where
//
// The tests here, on the computer, build, boot and follow the guest's console.
// In the guest run guest/init, the helpers guest/bridge and guest/feeder, and
// two test programs: that of hw/pi (package hwtest on the kernel's device nodes)
// and guest/system (the program itself, with all that can go wrong). To run one
// test of the latter:
//
//	go test -tags emulated ./test/emulated -run Raspi0 -only TestDoctor
//
// The consoles of the last run are in .cache/emulated/run.
//
// The guests' clocks are bound to their instructions (QEMU's -icount): a minute
// there, such as the one for which a bus is stuck, is less here on an idle
// computer, and more on a busy one.
//
// # The package
//
// The program in the guests is that of the Debian package for armhf, on the Pi Zero, too. On
// the ARMv7 machine TestThePackage installs the package as its users do, with apt, in a Debian
// whose systemd has udev and the journal running, and purges it at the end. That Debian's
// packages are unpacked and recorded as installed (package debian); it is in memory, and
// shares the kernel with the tests, so the machine is not booted by that systemd.
// test/packages has the rest: upgrades, downgrades and what they keep.
//
// # The service's unit
//
// deploy/pithings.service is tested as it is, by Debian's own systemd in a
// container in the guest (guest/container): if it becomes too strict for one of
// the parts, TestTheServiceUnit fails; TestTheUnitsRestrictionsAreInForce makes
// sure that each restriction really is one there. Out of its reach are
// ProtectKernelModules, RestrictRealtime and the empty capability sets, as
// things that a user without rights may not do anyway (the capability sets are
// read from /proc instead); SystemCallArchitectures, as the kernels here know
// one only; LoadCredential, the journal, and network-online.target and
// time-sync.target, which nothing in the container reaches; and what the
// watchdog does to a program that hangs.
//
// # Power cuts
//
// A cut is a QEMU that is killed: what the guest's kernel has not handed to its
// disk is lost, as on a Pi. What it has handed over, but not flushed, is kept then,
// which a real card need not do.
//
// So for the outboxes QEMU also records all that the guest writes, and when it has
// that flushed (package writelog). From the record the disk is made as a cut at any
// moment would have left it: with all writes, as when QEMU is killed just then, or
// without some or all of those since the last flush, by writes or by sectors. That is
// done at 32 moments of a run of pithings pub (sync always) and of one of the agent
// (sync interval). Each time e2fsck finds nothing but the journal to be replayed, the
// outbox opens, and what is not in it was not promised or had been delivered. What was seen of the guest, on its console and by
// a postman between it and its broker, counts with the length that the record had
// then. The record has the order in which requests were done: a disk that kept back
// a write that it was given while it flushed is not covered.
//
// # What is needed
//
// Debian 12 with the packages that test/need names; what else is fetched from
// the archive that the computer's own apt uses, into .cache/emulated (see
// package debian). Nothing needs root, or KVM.
package emulated
