package state

import "hash/fnv"

// sum tells long client ids apart whose folders have the same beginning.
func sum(id string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	return h.Sum64()
}
