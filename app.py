"""The demo.

python app.py                            # then open the address it prints
GRADIO_SERVER_NAME=0.0.0.0 python app.py # for other computers too; GRADIO_SERVER_PORT chooses the port
"""

from colorizer.ui.app import main

if __name__ == "__main__":
    main()
