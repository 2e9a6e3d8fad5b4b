"""The odd world: a user-space network behind one veth end that answers in every way a responder should not."""
