package main

import (
	"bufio"
	"log/slog"
	"os"
	"syscall"

	"pithings/hw"
	"pithings/hw/mock"
)

// openBoard is that of cmd/pithings, in its place for BenchmarkLatency: the line "driven" has the
// level that standard input gives it, one byte each, 1 or 0.
func openBoard(_ bool, _ *slog.Logger) (b hw.Board, closeBoard func(), err error) {
	simulated := mock.New(mock.Options{Settled: true})
	line := simulated.Pin("driven")
	// As the lines of a real board are read (hw/pi): by the runtime's poller. A read that blocks
	// would keep the processor on which the runtime runs what the line's change makes ready.
	if err := syscall.SetNonblock(0, true); err != nil {
		return nil, nil, err
	}
	input := os.NewFile(0, "standard input")
	go func() {
		for in := bufio.NewReader(input); ; {
			level, err := in.ReadByte()
			if err != nil {
				return
			}
			line.Set(level == '1')
		}
	}()
	return simulated, func() { simulated.Close() }, nil
}
