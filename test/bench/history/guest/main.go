// Program guest does one thing a number of times, for a test that counts its instructions:
//
//	guest read N DIR FILE    reads 90 days of a history, and writes them as JSON
//	guest json N DIR FILE    writes the points in a file as JSON, with encoding/json
package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"pithings/history"
	bench "pithings/test/bench/history"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(what, times, dir, file string) error {
	n, err := strconv.Atoi(times)
	if err != nil {
		return err
	}
	var a history.Answer
	if what == "json" {
		if a, err = points(filepath.Join(dir, file)); err != nil {
			return err
		}
	}
	for range n {
		switch what {
		case "read":
			f, opening := history.OpenFile(dir, file)
			if opening != nil {
				return opening
			}
			err = errors.Join(err, f.WriteJSON(io.Discard, bench.Query()), f.Close())
		case "json":
			err = errors.Join(err, json.NewEncoder(io.Discard).Encode(&a))
		}
	}
	return err
}

// points reads the columns of an answer, each a list of 8 bytes, little-endian.
func points(file string) (a history.Answer, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return a, err
	}
	a = history.Answer{Key: history.Key{Thing: "hall", Quantity: "temperature", Unit: "°C"}, Tier: "hours", Step: 3600}
	n := len(data) / 32
	for i := range n {
		a.Times = append(a.Times, int64(binary.LittleEndian.Uint64(data[i*8:])))
	}
	for c, column := range []*[]*float64{&a.Min, &a.Mean, &a.Max} {
		for i := range n {
			v := math.Float64frombits(binary.LittleEndian.Uint64(data[((c+1)*n+i)*8:]))
			*column = append(*column, &v)
		}
	}
	return a, nil
}
