// Package firstboot checks the files of deploy/firstboot with the programs that will read
// them: cloud-init, the shell and pithings.
//
//	go test -tags packages ./test/packages/firstboot
//
// What they do to a machine is tested by test/emulated, which boots one image in several
// machines. firstboot itself must not be run here: it changes the machine that it runs on.
package firstboot
