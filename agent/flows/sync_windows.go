package flows

// syncFolder has nothing to do: NTFS keeps its folders in a journal.
func syncFolder(string) error { return nil }
