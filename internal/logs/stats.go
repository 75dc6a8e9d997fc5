package logs

// Stats is how much there is.
type Stats struct {
	Bytes   int64  // of blocks on the disk
	Backlog int64  // bytes of records, uncompressed, that are in no block or not stored yet
	Blocks  int    // files
	Lost    uint64 // records since the start that came too fast, or could not be stored
	Untold  uint64 // records since the start that subscribers were too slow for
}

// Stats tells how much there is now.
func (s *Store) Stats() Stats {
	var st Stats
	s.mu.Lock()
	st.Backlog, st.Lost = int64(s.bytes), s.lost
	s.mu.Unlock()
	s.subscribers.mu.Lock()
	st.Untold = s.subscribers.lost
	s.subscribers.mu.Unlock()
	a := s.archive
	a.mu.Lock()
	defer a.mu.Unlock()
	st.Backlog += int64(a.bytes)
	for _, b := range a.manifest.blocks {
		st.Bytes += b.Bytes
		st.Blocks++
	}
	return st
}
