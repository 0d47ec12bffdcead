package mock_test

import (
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/hw"
	"pithings/hw/mock"
)

// A program opens parts by the names in its configuration, and a test drives
// them from the other side.
func Example() {
	board := mock.New(mock.Options{})
	defer board.Close()

	watch := func(b hw.Board) { // what the program does
		line, err := b.OpenPin("GPIO17")
		if err != nil {
			fmt.Println(err)
			return
		}
		defer line.Halt()
		if err := line.In(gpio.PullDown, gpio.BothEdges); err != nil {
			fmt.Println(err)
			return
		}
		board.Pin("GPIO17").Set(gpio.High) // what the test does
		fmt.Println(line.WaitForEdge(time.Second), line.Read())
	}
	watch(board)

	board.Pin("GPIO17").Hold("onewire@0")
	watch(board)
	// Output:
	// true High
	// GPIO17: in use by another program: onewire@0; stop that program or use another device
}
