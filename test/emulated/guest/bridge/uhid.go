//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"sync"
)

// Events of linux/uhid.h.
const (
	uhidDestroy        = 1
	uhidOutput         = 6
	uhidGetReport      = 9
	uhidGetReportReply = 10
	uhidCreate2        = 11
	uhidInput2         = 12
	uhidSetReport      = 13
	uhidSetReportReply = 14

	uhidDataMax   = 4096
	uhidEventSize = 4 + 128 + 64 + 64 + 2 + 2 + 4*4 + uhidDataMax // the largest, uhid_create2_req

	busUSB = 3
	eio    = 5
)

// device answers the driver. Its methods are called from one goroutine.
type device interface {
	getReport(id byte) []byte
	setReport(id byte, report []byte)
	output(report []byte) (replies [][]byte)
}

// uhid is a HID device that this process plays.
type uhid struct {
	f    *os.File
	dev  device
	done sync.WaitGroup
}

func createUHID(name string, vendor, product uint32, descriptor []byte, dev device) (*uhid, error) {
	f, err := os.OpenFile("/dev/uhid", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	e := make([]byte, uhidEventSize)
	le := binary.LittleEndian
	le.PutUint32(e, uhidCreate2)
	copy(e[4:4+127], name)
	le.PutUint16(e[4+256:], uint16(len(descriptor)))
	le.PutUint16(e[4+258:], busUSB)
	le.PutUint32(e[4+260:], vendor)
	le.PutUint32(e[4+264:], product)
	copy(e[4+276:], descriptor)
	if _, err := f.Write(e); err != nil {
		f.Close()
		return nil, fmt.Errorf("/dev/uhid: create: %w", err)
	}
	u := &uhid{f: f, dev: dev}
	u.done.Go(u.serve)
	return u, nil
}

// close unplugs the device.
func (u *uhid) close() error {
	err := u.send(uhidDestroy, nil)
	err = errors.Join(err, u.f.Close())
	u.done.Wait()
	return err
}

func (u *uhid) send(event uint32, payload []byte) error {
	_, err := u.f.Write(append(binary.LittleEndian.AppendUint32(nil, event), payload...))
	return err
}

func (u *uhid) serve() {
	buf := make([]byte, uhidEventSize)
	for {
		n, err := u.f.Read(buf)
		if err != nil {
			if !errors.Is(err, fs.ErrClosed) {
				log.Printf("/dev/uhid: %v", err)
			}
			return
		}
		if err := u.event(buf[:n]); err != nil && !errors.Is(err, fs.ErrClosed) {
			log.Printf("/dev/uhid: %v", err)
		}
	}
}

func (u *uhid) event(e []byte) error {
	le := binary.LittleEndian
	kind, p := le.Uint32(e), e[4:]
	switch kind {
	case uhidOutput: // data, size u16, kind u8
		for _, report := range u.dev.output(p[:le.Uint16(p[uhidDataMax:])]) {
			input := le.AppendUint16(nil, maxReport)
			input = append(input, report...)
			input = append(input, make([]byte, maxReport-len(report))...)
			if err := u.send(uhidInput2, input); err != nil {
				return err
			}
		}
	case uhidGetReport: // id u32, number u8, kind u8
		report := u.dev.getReport(p[4])
		reply := append([]byte(nil), p[:4]...)
		errno := uint16(0)
		if report == nil {
			errno = eio
		}
		reply = le.AppendUint16(reply, errno)
		reply = le.AppendUint16(reply, uint16(len(report)))
		return u.send(uhidGetReportReply, append(reply, report...))
	case uhidSetReport: // id u32, number u8, kind u8, size u16, data
		u.dev.setReport(p[4], p[8:8+le.Uint16(p[6:])])
		return u.send(uhidSetReportReply, append(append([]byte(nil), p[:4]...), 0, 0))
	}
	return nil
}
