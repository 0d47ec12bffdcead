//go:build !linux && !windows

package durable

import "os"

// chownSocket gives a socket away.
func chownSocket(name string, uid, gid int) error { return os.Lchown(name, uid, gid) }
