package py

import "syscall"

// rest sleeps in the kernel: a timer of the runtime, which waits for the network in whole
// milliseconds, would rest five times as long.
func rest() {
	t := syscall.NsecToTimespec(pause.Nanoseconds())
	_ = syscall.Nanosleep(&t, nil) // a signal shortens it
}
