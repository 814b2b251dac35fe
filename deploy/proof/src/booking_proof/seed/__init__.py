"""`booking seed`: a believable platform of any size, as if it had happened (deploy/proof/README.md, The seed).

people, times     who there is, what is sold, when people do things
story             what becomes of each purchase, as commands with the clock of their time
streams           the commands told to the services' own deciders, in memory
messages, rows    what each service keeps of it
write, command    COPY, marks for the relay, progress
"""
