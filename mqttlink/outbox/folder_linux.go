package outbox

import "syscall"

var fdatasync = syscall.Fdatasync
