//go:build faults

package broker

const attackScale = 1
