package main

import (
	"log/slog"
	"time"

	"pithings/hw"
	"pithings/hw/mock"
	"pithings/hw/pi"
)

// openBoard opens the board of this machine, or the simulated one. This is the
// only place that knows which.
func openBoard(simulate bool, log *slog.Logger) (b hw.Board, closeBoard func(), err error) {
	simulated := mock.New(mock.Options{
		Motion: mock.Motion{First: time.Second, Every: 10 * time.Second, Width: 3 * time.Second},
	})
	if simulate {
		return simulated, func() { simulated.Close() }, nil
	}
	real, err := pi.Open(log)
	if err != nil {
		return nil, nil, err
	}
	return hw.Split(real, simulated), func() {
		simulated.Close()
		real.Close()
	}, nil
}
