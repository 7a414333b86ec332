package checkpoint

// due asks the interval (checkpoint_management.py, CheckpointManager.save). A
// save that is not written yet counts as made.
func (s *save) due() (bool, error) {
	s.step = s.o.Step
	if s.m.o.StepCounter != nil {
		now := s.m.o.StepCounter()
		s.at = &now
		if s.step == nil {
			s.step = &now
		}
	}
	if s.m.o.Every != nil {
		return s.scheduled()
	}
	if s.at == nil {
		return true, nil
	}
	last := s.m.lastSaved()
	if s.m.o.CheckpointInterval == 0 || last == nil {
		return true, nil
	}
	return *s.at != *last && (s.o.Force || *s.at >= *last+s.m.o.CheckpointInterval), nil
}

// lastSaved returns the step of the newest save, nil if there is none.
func (m *Manager) lastSaved() *int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.pending); n > 0 && m.pending[n-1].at != nil {
		return m.pending[n-1].at
	}
	return m.lastStep
}

// stepped sets the step that the interval counts from.
func (m *Manager) stepped(at *int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lastStep = at
}
