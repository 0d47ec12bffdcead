package kernel_test

import (
	"context"
	"fmt"
	"log"

	"pithings/hw/mock"
	"pithings/sensors/kernel"
)

func Example() {
	board := mock.New(mock.Options{})
	defer board.Close()
	root, err := board.Sysfs("mock:ina219")
	if err != nil {
		log.Fatal(err)
	}
	dev, err := kernel.Open(root, "mock:ina219", nil)
	if err != nil {
		log.Fatal(err)
	}
	values, err := dev.Read(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for i, q := range dev.Channels() {
		fmt.Println(q.Name, q.Unit, values[i] != 0)
	}
	// Output:
	// current A true
	// voltage_0 V true
	// voltage_1 V true
	// power W true
}
