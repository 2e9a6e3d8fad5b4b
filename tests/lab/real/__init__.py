"""Real hosts: namespaces with this kernel's own stack, its packet filter, and servers of everyday use."""
