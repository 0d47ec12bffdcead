//go:build !linux

package py

import "time"

func rest() { time.Sleep(pause) }
