package state

import "hash/fnv"

// sum distinguishes long client ids whose folders have the same beginning.
func sum(id string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	return h.Sum64()
}
