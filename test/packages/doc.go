// Package packages installs the Debian package in a Debian 12, and upgrades, downgrades,
// removes and purges it there:
//
//	go test -tags packages ./test/packages
//
// The Debian is one that debootstrap makes (variant minbase, with systemd), with this
// machine's processor. Each test boots it in a container of systemd-nspawn: apt, dpkg,
// systemd and the service's restrictions are the real ones, and the kernel is this
// machine's. What a test changes is kept in memory and gone at its end. The network is this
// machine's, so a mosquitto here takes what the service delivers.
//
// What needs a Raspberry Pi's parts is tested by test/emulated, which installs the package
// for armhf with apt in an emulated one.
//
// # What is needed
//
// Root, and the Debian packages that test/need names. The first run makes the Debian, from
// the archive that this machine's own apt uses, and keeps it in .cache/packages; remove that
// folder to have it made anew.
package packages
