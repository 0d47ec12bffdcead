// Package qemu boots an emulated machine, follows its console, and does for the
// guest what only the outside can do: screenshots, and QMP commands.
//
// There is no KVM in it: the machines are emulated in software, so the same
// test runs in any CI. Nothing here says anything about speed.
package qemu
