// Package sysfs reads the kernel's files for sensors/kernel and sensors/host, and
// bounds what can go wrong with them: a file that blocks, that is longer than it
// may be, or that holds no number.
//
// Paths are those of io/fs, below the root folder that [hw.Board.Sysfs] returns:
// "sys/class/thermal/thermal_zone0/temp".
package sysfs
