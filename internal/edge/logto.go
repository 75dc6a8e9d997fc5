package edge

// LogTo says where the access log of a distribution goes; nil is nowhere.
func (s *Server) LogTo(distribution string) *LogTo {
	for _, dists := range s.snapshot().stacks {
		for i := range dists {
			if dists[i].ID == distribution {
				return dists[i].Log
			}
		}
	}
	return nil
}
